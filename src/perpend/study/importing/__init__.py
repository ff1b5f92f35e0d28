"""Other people's samples as a study's folder: a file is read, its columns mapped, its samples written to a store."""

from perpend.study.importing.importing import Import, Preview, import_file, preview_file

__all__ = ["Import", "Preview", "import_file", "preview_file"]
