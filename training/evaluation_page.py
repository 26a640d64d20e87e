"""The numbers of an evaluation as columns of a table, and the report's page: plain HTML without anything to fetch or run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple


class Column(NamedTuple):
    """A number of a table: its name in a row, the table's heading, its form, and what is better than the rest of a column.

    ``best`` is max, min, or one (nearest to 1); "" where no value is better than another.
    """

    key: str
    heading: str
    form: str
    best: str = ""


COLUMNS = (
    Column("auc", "AuC %", "{:.2f}", "max"),
    Column("auc_rebalanced", "rebalanced %", "{:.2f}", "max"),
    Column("ab_mse", "ab MSE", "{:.5f}", "min"),
    Column("psnr", "PSNR dB", "{:.2f}", "max"),
    Column("ssim", "SSIM", "{:.4f}", "max"),
    Column("delta_e_2000", "ΔE2000", "{:.2f}", "min"),
    Column("fid", "FID", "{:.2f}", "min"),
    Column("lpips", "LPIPS", "{:.4f}", "min"),
    Column("kid", "KID·1000", "{:.2f}", "min"),
    Column("same_guess", "recognised alike", "{:.3f}", "max"),
    Column("colorfulness", "colourfulness", "{:.1f}"),
    Column("colorfulness_ratio", "of the truth's", "{:.2f}", "one"),
)
HISTOGRAM_COLUMNS = (
    Column("bins_js", "ab histogram, JS", "{:.4f}", "min"),
    Column("chroma_js", "chroma histogram, JS", "{:.4f}", "min"),
)
_OF_ALL_PICTURES = ("psnr", "ssim", "fid", "lpips", "kid", "same_guess")  # not told of groups
GROUP_COLUMNS = tuple(column for column in COLUMNS if column.key not in _OF_ALL_PICTURES)

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; max-width: 1500px; margin: 1.5rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }
th { font-weight: 600; } th.name, td.name { text-align: left; } td.best { font-weight: 700; }
tbody tr.first td, tbody tr.first th { border-top: 2px solid #bbb; }
img { max-width: 100%; height: auto; } p.note, figcaption { color: #555; font-size: .9rem; } figure { margin: 0; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem 1.2rem; } .wide { overflow-x: auto; }
"""

_MEANINGS = {
    "AuC": "share of pixels whose ab is within distance t of the truth, averaged over t = 0 … 150, percent.",
    "rebalanced": "the same with pixels weighted by how rare their true colour is. A few pictures with rare colours move it "
    "by points: compare it on the same pictures only.",
    "ab MSE": "mean of ((ab − true) / 255)² over pixels and both channels.",
    "PSNR": "of R'G'B' after colours are brought into the gamut, mean over pictures.",
    "SSIM": "scikit-image's structural_similarity of R'G'B': 7 × 7 px uniform window, sample covariance, K1 = 0.01, "
    "K2 = 0.03, data range 1, mean over channels and pictures.",
    "ΔE2000": "CIEDE2000, mean over pixels and pictures; 1 is just visible side by side.",
    "FID, LPIPS": "only with the user's own weights; see training/README.md.",
    "KID": "with --recognition: kernel distance of the features of EfficientNet-Lite 1 (ImageNet) from those of the true "
    "pictures, times 1,000; 0 is equal.",
    "recognised alike": "with --recognition: share of pictures for which its first guess is its guess for the truth.",
    "colourfulness": "Hasler and Süsstrunk, mean over pictures, and its ratio to that of the true pictures.",
    "JS": "Jensen-Shannon divergence of a histogram over all pixels from that of the truth, natural logarithm: 0 is equal, "
    "0.69 disjoint. Of ab in 262 bins of 10 × 10 units, and of chroma in steps of 2.",
    "outputs": "“mean, T = 1” is the plain expectation, by which squared errors are compared; “default” is what colorize-media "
    "gives, at the vividness named. Grey (ab = 0) is good by many of these numbers, for most of the world is nearly grey.",
}


def make_page(facts: Mapping[str, Any], sheets: Mapping[tuple[str, str], str]) -> str:
    """HTML of ``facts`` as report.json holds them. It refers to files only.

    ``sheets`` are files by ("first", category), ("worst", model) and ("best", model).
    """
    dropped = ", ".join(f"{count} {_text(reason)}" for reason, count in facts["dropped"].items()) or "none"
    out = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Colours against the truth</title>',
        f"<style>{_STYLE}</style></head><body>",
        "<h1>Colours against the truth</h1>",
        f"<p>{facts['pictures']} pictures of <code>{_text(facts['data'])}</code>, middle squares of {facts['size']} px; the "
        f"networks saw {facts['working_size']} px, on {_text(facts['device'])}. Pictures left out: {dropped}.</p>",
        "<h2>All pictures</h2>",
        _table([(None, facts["rows"])], (*COLUMNS, *HISTOGRAM_COLUMNS), vividness=True),
        '<p class="note">Bold is the best of a column. All that follows shows the default outputs, at vividness '
        f"{facts['shown_vividness']:g}.</p>",
    ]
    for kind, heading in (("source", "By source"), ("category", "By category"), ("label", "By scene label")):
        if groups := facts["groups"][kind]:
            blocks = [(f"{name} ({group['pictures']})", group["rows"]) for name, group in groups.items()]
            opened = " open" if len(blocks) <= 12 else ""
            table = _table(blocks, GROUP_COLUMNS, vividness=False)
            out += [f"<h2>{heading}</h2>", f"<details{opened}><summary>{len(blocks)} groups</summary>{table}</details>"]
    out += [
        "<h2>How often colours are used</h2>",
        _figure(
            "chroma.png", "Share of pixels by chroma. A model's line below the grey area is colour that is missing."
        ),
        _figure("ab.png", "Share of pixels in each cell of the ab plane; dark cells are hardly ever used."),
    ]
    captions = {
        "first": "The first pictures of this category, not chosen.",
        "worst": "The pictures with its largest mean ΔE2000.",
        "best": "The pictures with its smallest mean ΔE2000.",
    }
    for (kind, name), file in sheets.items():
        out.append(f"<h2>{kind.capitalize()} of {_text(name)}</h2>")
        out.append(_figure(file, captions[kind]))
    out.append("<h2>What the numbers mean</h2><dl>")
    out += [f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _MEANINGS.items()]
    out.append("</dl><h2>Weights</h2><ul>")
    for name, model in facts["models"].items():
        out.append(
            f"<li><b>{_text(name)}</b>: <code>{_text(model['weights'])}</code>, SHA-256 {model['sha256'][:16]}…, "
            f"T = {model['config']['temperature']:g}, gain {model['config']['chroma_gain']:g}, power of "
            f"each picture's own {model['config']['picture_gain']:g}</li>"
        )
    out.append("</ul></body></html>")
    return "\n".join(out) + "\n"


def printable(text: str) -> str:
    """On one line and in Unicode, whatever a file is called."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def _text(text: str) -> str:
    return escape(printable(text))


def _figure(file: str, caption: str) -> str:
    return f'<figure><img src="{file}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'


def _table(
    blocks: Sequence[tuple[str | None, Sequence[Mapping[str, Any]]]], columns: Sequence[Column], *, vividness: bool
) -> str:
    """Blocks of rows under one head; a block that has a name shows it at its first row."""
    columns = [column for column in columns if column.key in blocks[0][1][0]]
    heads = ["group"] if blocks[0][0] is not None else []
    heads += ["model", "output", "vividness"] if vividness else ["model"]
    out = ['<div class="wide"><table><thead><tr>', *(f'<th class="name">{head}</th>' for head in heads)]
    out += [f"<th>{column.heading}</th>" for column in columns]
    out.append("</tr></thead><tbody>")
    for name, rows in blocks:
        best = {column.key: _best([row[column.key] for row in rows], column) for column in columns}
        for number, row in enumerate(rows):
            out.append('<tr class="first">' if number == 0 else "<tr>")
            if name is not None and number == 0:
                out.append(f'<th class="name" rowspan="{len(rows)}">{_text(name)}</th>')
            words = [row["model"]]
            if vividness:
                words += [row["output"], "" if row["vividness"] is None else f"{row['vividness']:g}"]
            out += [f'<td class="name">{_text(word)}</td>' for word in words]
            for column in columns:
                text = column.form.format(row[column.key])
                mark = ' class="best"' if text == best[column.key] else ""
                out.append(f"<td{mark}>{text}</td>")
            out.append("</tr>")
    out.append("</tbody></table></div>")
    return "".join(out)


def _best(values: Sequence[float], column: Column) -> str | None:
    """The best value as the table writes it, so that what looks equal is marked alike; None where nothing is best."""
    if not column.best:
        return None
    choose = {"max": max(values), "min": min(values), "one": min(values, key=lambda value: abs(value - 1.0))}
    return column.form.format(choose[column.best])
