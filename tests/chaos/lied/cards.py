"""Changes of the cards of a header as it lies in a file, which no FITS library would write."""

from __future__ import annotations

from collections.abc import Sequence

from chaos.lied.originals import BLOCK, CARD, Original, Part


def list_cards(content: bytes, part: Part) -> list[bytes]:
    """The cards of one header, without END and what follows it."""
    header = content[part.start : part.data]
    cards = [header[at : at + CARD] for at in range(0, len(header), CARD)]
    end = b"END".ljust(CARD)
    return cards[: cards.index(end)] if end in cards else cards


def put_cards(original: Original, part: Part, cards: Sequence[bytes], end: bool = True) -> bytes:
    """The file with these cards for the header of one of its parts."""
    header = b"".join(cards) + (b"END".ljust(CARD) if end else b"")
    header += b" " * (-len(header) % BLOCK)
    return original.content[: part.start] + header + original.content[part.data :]


def set_card(original: Original, part: Part, keyword: str, text: str) -> bytes:
    """The file with the text of a value in place of that of a keyword, or with a new card for it."""
    card, cards = format_card(keyword, text), list_cards(original.content, part)
    for number, old in enumerate(cards):
        if old[:8] == card[:8]:
            cards[number] = card
            break
    else:
        cards.append(card)
    return put_cards(original, part, cards)


def format_card(keyword: str, text: str) -> bytes:
    """One card, its value as it is given."""
    return f"{keyword[:8]:8}= {text:>20}".ljust(CARD)[:CARD].encode("latin-1")


def keywords_of(original: Original, part: Part) -> list[str]:
    """The keywords of a header that have values."""
    cards = list_cards(original.content, part)
    return [card[:8].decode("latin-1").rstrip() for card in cards if card[8:10] == b"= "]


def words(text: str) -> tuple[str, ...]:
    """The words of a text, of keywords or values."""
    return tuple(text.split())
