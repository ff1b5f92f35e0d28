"""Problems with a way to check them. A new task is one file here and one line below."""

from perpend.core import Registry, Task

TASKS: Registry[Task] = Registry(
    "task",
    "perpend.tasks",
    {
        "arithmetic": "perpend.tasks.arithmetic:Arithmetic",
        "word_problems": "perpend.tasks.word_problems:WordProblems",
        "countdown": "perpend.tasks.countdown:Countdown",
        "gsm8k": "perpend.tasks.gsm8k:Gsm8k",
        "jsonl": "perpend.tasks.files:JsonLines",
        "csv": "perpend.tasks.files:Csv",
        "imported": "perpend.tasks.imported:Imported",
        "question": "perpend.tasks.question:Question",
        "simulated": "perpend.tasks.simulated:Simulated",
    },
)
