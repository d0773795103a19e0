# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""HTML from which no text can break out, and the look of the evidence's pages.

A page needs nothing but itself: no script, no network. Its content security policy allows exactly its own style sheet.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence

from .checks import Status, Verdict
from .evidence import Support
from .evidence_words import printable

_VOID = ("meta", "line", "rect", "br", "circle")


class Markup(str):
    """Text that is HTML already. All other text is escaped when it is put into an element."""

    __slots__ = ()


def el(tag: str, *children: str, **attributes: str) -> Markup:
    """An element. An attribute's trailing `_` is dropped and each `_` in its name is a `-`."""
    said = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(printable(value))}"' for name, value in attributes.items()
    )
    if tag in _VOID:
        return Markup(f"<{tag}{said} />")
    return Markup(f"<{tag}{said}>{''.join(shown(child) for child in children)}</{tag}>")


def shown(said: str) -> Markup:
    """Text as HTML, with what cannot be seen named visibly."""
    if isinstance(said, Markup):
        return said
    return Markup(printable(html.escape(said), '<span class="hidden-character">{}</span>'.format))


def joined(parts: Iterable[str]) -> Markup:
    """Several parts, one after the other."""
    return Markup("".join(shown(part) for part in parts))


def code(said: str) -> Markup:
    """A name, key or command: set apart, and without effect on the direction of what is around it."""
    return el("bdi", el("code", said))


def chip(word: str, kind: str) -> Markup:
    """A state in a word, with a sign beside the colour."""
    return el("span", el("span", _SIGNS.get(kind, "?"), aria_hidden="true"), f" {word}", class_=f"chip {kind}")


_SIGNS = {
    Verdict.PROVEN.value: "✓",
    Verdict.AT_RISK.value: "!",
    Verdict.BROKEN.value: "✕",
    Verdict.UNKNOWN.value: "?",
    Status.PASSED.value: "✓",
    Status.WARNING.value: "!",
    Status.SKIPPED.value: "-",
    Support.SUPPORTS.value: "✓",
    Support.OPEN.value: "!",
    Support.NOT_SHOWN.value: "-",
}


def prose(said: str) -> Markup:
    """A sentence, in which what stands between backticks is code."""
    *parts, last = said.split("`")
    if len(parts) % 2:
        parts, last = parts[:-1], f"{parts[-1]}`{last}"
    return joined(el("code", part) if index % 2 else part for index, part in enumerate([*parts, last]))


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int] = (),
    names: Sequence[int] = (),
) -> Markup:
    """A table. On a phone each row is a card, and each cell carries its column's head.

    The roles say again what the elements are, since a table that is laid out as cards is none to some screen readers.

    Args:
        numbers: which columns stand at the right.
        names: which columns hold names that may be long and have no place to break.
    """
    classes = ["number" if index in numbers else "name" if index in names else "text" for index in range(len(heads))]
    head = el(
        "tr",
        *(
            el("th", one, scope="col", role="columnheader", class_=kind)
            for one, kind in zip(heads, classes, strict=True)
        ),
        role="row",
    )
    body = [
        el(
            "tr",
            *(
                el("td", el("div", cell), role="cell", data_label=one, class_=kind if cell else "empty")
                for cell, one, kind in zip(row, heads, classes, strict=True)
            ),
            role="row",
        )
        for row in rows
    ]
    return el(
        "table",
        el("caption", caption),
        el("thead", head, role="rowgroup"),
        el("tbody", *body, role="rowgroup"),
        role="table",
    )


def section(title: str, *parts: str) -> Markup:
    """A part of the page with its heading; nothing if there is nothing in it."""
    return el("section", el("h2", title), *parts) if any(parts) else Markup("")


def items(sentences: Iterable[str], tag: str = "ul", class_: str = "sentences") -> Markup:
    """A list of sentences; nothing if there are none."""
    found = [el("li", prose(one)) for one in sentences]
    return el(tag, *found, class_=class_) if found else Markup("")


def figures(pairs: Iterable[tuple[str, str, str]]) -> Markup:
    """The few numbers that count: label, value and what to know of it."""
    return el(
        "dl",
        *(
            el("div", el("dt", label), el("dd", el("span", value, class_="value"), el("span", more, class_="more")))
            for label, value, more in pairs
        ),
        class_="figures",
    )


def page(title: str, verdict: Verdict, *parts: str) -> bytes:
    """The whole page."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("style", Markup(STYLE)),
    )
    body = el("body", el("main", *parts), class_=f"verdict-{verdict.value}")
    document = f"<!DOCTYPE html>\n{el('html', head, body, lang='en')}\n"
    return document.encode("utf-8", "backslashreplace")


STYLE = """
:root{--page:#f4f5f7;--paper:#fff;--text:#17202b;--soft:#566171;--line:#dde1e7;--wash:#f4f6f8;
--good:#17693f;--good-wash:#e6f4ec;--risk:#8a4f00;--risk-wash:#fdf1dc;--bad:#a8201a;--bad-wash:#fce9e7;
--open:#57468f;--open-wash:#efebfa;--bar:#6b7f99}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--paper:#151b23;--text:#e4e9ef;--soft:#9ba7b5;--line:#2c3540;
--wash:#1c232d;--good:#63d297;--good-wash:#12301f;--risk:#f0b55c;--risk-wash:#35260c;--bad:#ff938a;--bad-wash:#3b1714;
--open:#bdaef5;--open-wash:#272042;--bar:#8296b0}}
@media print{:root{--page:#fff;--paper:#fff;--text:#17202b;--soft:#4a5462;--line:#cdd3da;--wash:#f4f6f8;
--good:#17693f;--good-wash:#e6f4ec;--risk:#8a4f00;--risk-wash:#fdf1dc;--bad:#a8201a;--bad-wash:#fce9e7;
--open:#57468f;--open-wash:#efebfa;--bar:#6b7f99;color-scheme:light}}
.verdict-proven{--accent:var(--good);--accent-wash:var(--good-wash)}
.verdict-at_risk{--accent:var(--risk);--accent-wash:var(--risk-wash)}
.verdict-broken{--accent:var(--bad);--accent-wash:var(--bad-wash)}
.verdict-unknown{--accent:var(--open);--accent-wash:var(--open-wash)}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
main{max-width:1080px;margin:0 auto;padding:32px 24px 64px;overflow-wrap:break-word}
h1{font-size:28px;line-height:1.2;margin:2px 0 0;letter-spacing:-.01em}
h2{font-size:19px;line-height:1.3;margin:0 0 12px}
h3{font-size:15px;margin:24px 0 8px}
p{margin:0 0 12px}
a{color:inherit;text-decoration-color:var(--accent);text-underline-offset:3px}
.kind,.meta{color:var(--soft);font-size:13px;margin:0}
header,section{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:24px;margin:0 0 16px}
header{border-top:4px solid var(--accent)}
.head{display:flex;flex-wrap:wrap;gap:12px 24px;align-items:center;justify-content:space-between}
.lead{font-size:20px;line-height:1.4;margin:18px 0 4px;max-width:46em}
.chip{display:inline-block;white-space:nowrap;font-size:13px;font-weight:600;line-height:1.5;padding:0 9px;
border-radius:99px;color:var(--soft);background:var(--wash)}
.head .chip{font-size:16px;padding:4px 16px}
.chip.proven,.chip.passed,.chip.supports{color:var(--good);background:var(--good-wash)}
.chip.at_risk,.chip.warning,.chip.open{color:var(--risk);background:var(--risk-wash)}
.chip.broken{color:var(--bad);background:var(--bad-wash)}
.chip.unknown{color:var(--open);background:var(--open-wash)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:16px;margin:20px 0 0}
.figures div{border-top:1px solid var(--line);padding-top:10px}
dt{color:var(--soft);font-size:13px}
dd{margin:0}
.value{display:block;font-size:19px;font-weight:600;font-variant-numeric:tabular-nums;line-height:1.35}
.more{display:block;color:var(--soft);font-size:13px}
.sentences{margin:0 0 12px;padding-left:20px}
.sentences li{margin:0 0 6px}
.problems{list-style:none;padding:0}
.problems li{border-left:3px solid var(--accent);background:var(--accent-wash);padding:8px 12px;
border-radius:0 6px 6px 0}
.alarm{list-style:none;padding:0}
.alarm li{border-left:3px solid var(--bad);background:var(--bad-wash);padding:8px 12px;border-radius:0 6px 6px 0}
table{width:100%;border-collapse:collapse;margin:20px 0 0;font-size:14px}
caption{text-align:left;font-weight:600;padding:0 0 6px}
th{color:var(--soft);font-weight:500;font-size:13px;text-align:left;vertical-align:bottom;overflow-wrap:normal}
th,td{padding:7px 16px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
th:last-child,td:last-child{padding-right:0}
tbody tr:last-child td{border-bottom:0}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.text .more,td.name .more{white-space:normal}
.whole{white-space:nowrap}
td.name{overflow-wrap:anywhere;min-width:130px}
h1,.lead,li,p,pre,code{overflow-wrap:anywhere}
td .more{font-size:13px}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{background:var(--wash);border-radius:6px;padding:12px;margin:0 0 12px;white-space:pre-wrap}
.hidden-character{font:600 11px/1.4 ui-monospace,Menlo,Consolas,monospace;color:var(--bad);background:var(--bad-wash);
border-radius:3px;padding:0 3px;margin:0 1px;white-space:nowrap}
svg{display:block;width:100%;overflow:visible}
svg text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums;
paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.bar{fill:var(--bar)}
.bar.good{fill:var(--good)}.bar.at-risk{fill:var(--risk)}.bar.bad{fill:var(--bad)}.bar.unknown{fill:var(--open)}
.track{fill:var(--wash)}
.axis{stroke:var(--line)}
.target{stroke:var(--text);stroke-dasharray:4 3}
.charts{display:grid;grid-template-columns:1fr 1fr;gap:24px 40px}
.charts figure:first-child{grid-column:1/-1}
figure{margin:0;min-width:0}
figcaption{font-weight:600;font-size:14px;margin:0 0 8px}
figcaption .more{font-weight:400}
.causes td:nth-child(2){width:24%;min-width:120px}
.causes svg{margin-top:6px}
@media (max-width:720px){
main{padding:12px 12px 40px}
header,section{padding:16px;border-radius:8px}
h1{font-size:23px}
.lead{font-size:17px}
.figures{grid-template-columns:1fr 1fr;gap:12px}
.value{font-size:16px}
table,caption,tbody,tr,td{display:block}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tr{border-top:1px solid var(--line);padding:8px 0}
td,td.number{display:grid;grid-template-columns:minmax(88px,30%) minmax(0,1fr);gap:10px;text-align:left;border:0;
padding:3px 0;width:auto}
td.empty{display:none}
td.number,td.number .more{white-space:normal}
.charts{grid-template-columns:1fr}
td::before{content:attr(data-label);color:var(--soft);font-size:13px}
.causes td:nth-child(2){width:auto}
}
@media print{
@page{margin:14mm}
body{font-size:10.5pt}
main{padding:0;max-width:none}
header,section{border-left:0;border-right:0;border-bottom:0;border-radius:0;padding:12px 0;margin:0}
section{border-top:1px solid var(--line)}
tr,figure,.figures div,li,pre{break-inside:avoid}
h2,h3,caption,thead{break-after:avoid}
tbody tr:first-child{break-before:avoid}
table{font-size:9.5pt}
}
""".replace("\n", "")
