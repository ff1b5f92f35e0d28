"""Which price holds, where it comes from, and that nothing is asked of the network for it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from perpend.core import ConfigError, Usage
from perpend.economics import PriceBook, known_price

OPENAI = "https://api.openai.com/v1"
LOCAL = "openai:http://127.0.0.1:8000/v1#m"
MILLION = Usage(prompt=2_000_000, cached=1_000_000, completion=1_000_000)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("a price was looked for on the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def usd(book: PriceBook, name: str = "openai", use: str = LOCAL, own: str | None = None) -> float | None:
    quote = book.quote(name, use, own)
    return None if quote is None else quote.price.usd(MILLION)


def test_hosted_models_are_known_by_address_and_model() -> None:
    quote = PriceBook().quote("big", f"openai:{OPENAI}#gpt-4o-mini")
    assert quote is not None
    assert quote.price.usd(MILLION) == pytest.approx(0.15 + 0.075 + 0.60)
    assert "$0.15 in, $0.075 cached, $0.6 out per million tokens (genai-prices" in quote.source
    assert "openai gpt-4o-mini" in quote.source


def test_openai_is_the_address_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usd(PriceBook(), use="openai:gpt-4o-mini") == pytest.approx(0.825)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert usd(PriceBook(), use="openai:gpt-4o-mini") is None


def test_a_server_of_ones_own_has_no_known_price_whatever_its_model_is_called() -> None:
    assert usd(PriceBook(), use="openai:http://127.0.0.1:8000/v1#gpt-4o-mini") is None
    assert known_price(OPENAI, "no-such-model") is None


def test_a_price_that_rises_with_the_prompt_says_up_to_where_it_holds() -> None:
    quote = known_price("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro")
    assert quote is not None
    assert "for prompts up to 200,000 tokens" in quote.source


def test_a_model_that_is_paid_by_the_request_has_no_price() -> None:
    assert known_price("https://api.perplexity.ai", "sonar") is None


def test_what_is_said_of_an_engine_goes_before_files_and_those_before_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('m = "3,3,3"\n"http://127.0.0.1:8000/v1#special" = {input = 4, output = 4}\n', encoding="utf-8")
    book = PriceBook.of(["1,1,1", "mine=2,2,2", str(file)])
    assert usd(book, own="5,5,5") == pytest.approx(15)
    assert usd(book, "mine") == pytest.approx(6)
    assert usd(book) == pytest.approx(9)
    assert usd(book, use="openai:http://127.0.0.1:8000/v1#special") == pytest.approx(12)
    assert usd(book, use="openai:http://127.0.0.1:9/v1#special") == pytest.approx(3)
    assert usd(book, use=f"openai:{OPENAI}#gpt-4o-mini") == pytest.approx(3)  # the user knows better than the list


def test_a_price_file_may_be_json_and_the_source_names_it(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"m": {"input": 1, "cached": 0.5, "output": 4}}', encoding="utf-8")
    quote = PriceBook.of([str(file)]).quote("openai", LOCAL)
    assert quote is not None
    assert quote.source == "$1 in, $0.5 cached, $4 out per million tokens (prices.json)"


def test_the_machine_is_paid_by_the_hour_unless_it_is_named() -> None:
    book = PriceBook.of(["1,1,1"])
    assert book.quote("embedded", "embedded") is None
    assert PriceBook.of(["embedded=1,1,1"]).quote("embedded", "embedded") is not None


def test_a_price_for_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="no engine 'smal'"):
        PriceBook.of(["smal=1,1,1"]).check_names(["small", "large"])


@pytest.mark.parametrize("text", ["cheap", "1", "name=1", "missing.toml"])
def test_other_prices_are_refused_with_how_to_write_them(text: str) -> None:
    with pytest.raises(ConfigError, match="per million"):
        PriceBook.of([text])


@pytest.mark.parametrize("text", ['m = "1"', "m = 1", "m = {input = 1}", "m = {input = 1, output = 1, tax = 1}", "m ="])
def test_a_price_file_that_is_wrong_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"prices\.toml.*per million"):
        PriceBook.of([str(file)])
