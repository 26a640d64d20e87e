"""Evaluation: sums that add up, numbers that scikit-image confirms, tables, the report's folder, and every way to fail."""

from __future__ import annotations

import io
import json
import math
import sys
import tarfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage import color as reference
from skimage import data
from skimage.metrics import structural_similarity

from colorize_media.cli.main import run
from colorize_media.color.spaces import fit_to_gamut, lab_to_rgb, rgb_to_lab
from colorize_media.errors import BadOption, WeightsDamaged
from colorize_media.models import find_weights, load_weights
from colorize_media.training.evaluation import GREY, Decoding, Output, evaluate, evaluate_network, outputs_of
from colorize_media.training.metrics import CHROMA_STEP, LENGTH, ColorMetrics, Truth, measure, numbers_of_pictures
from colorize_media.training.perceptual import FrechetInceptionDistance, Lpips, fid_inception
from colorize_media.training.pictures import PictureStore, load_pictures
from colorize_media.training.sources import Picture, find_sources, read_pictures
from tests.made.pictures import pillow

CPU = torch.device("cpu")
MODEL = "a"


def photographs(count: int = 5, side: int = 80) -> list[np.ndarray]:
    """Crops of real photographs in colour."""
    made = []
    for number in range(count):
        picture = (data.astronaut(), data.coffee(), data.chelsea())[number % 3]
        top = 37 * number % (picture.shape[0] - side)
        left = 53 * number % (picture.shape[1] - side)
        made.append(picture[top : top + side, left : left + side])
    return made


def store_of(count: int = 5) -> PictureStore:
    """Pictures in two categories; the first carries no label, the second one that only says its category again."""
    pictures = [
        Picture(
            f"{number}.png",
            ("", "people", "beach", "street")[number % 4],
            pillow("PNG", rgb),
            ("people", "scene")[number % 4 > 1],
        )
        for number, rgb in enumerate(photographs(count))
    ]
    return load_pictures(pictures, 80)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders, one of them with a name that HTML, a terminal and a font may stumble over."""
    for number, rgb in enumerate(photographs(5)):
        path = tmp_path / "data" / ("beach", "<b>&\n海")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pillow("PNG", rgb))
    return tmp_path / "data"


def batch_of(count: int = 4) -> tuple[Truth, torch.Tensor]:
    """True pictures, and ab that is wrong by more or less and in part outside the gamut."""
    rgb = torch.from_numpy(np.stack(photographs(count))).permute(0, 3, 1, 2) / 255.0
    lab = rgb_to_lab(rgb)
    random = torch.Generator().manual_seed(3)
    return Truth(lab), 1.5 * lab[:, 1:] + 20 * torch.randn(lab[:, 1:].shape, generator=random)


# --- metrics


def test_sums_of_two_halves_are_those_of_the_whole() -> None:
    truth, ab = batch_of()
    lab = truth.lab
    whole, first, second = ColorMetrics(), ColorMetrics(), ColorMetrics()
    whole.add(lab[:, :1], ab, lab[:, 1:], full=True)
    first.add(lab[:1, :1], ab[:1], lab[:1, 1:], full=True)
    second.add(lab[1:, :1], ab[1:], lab[1:, 1:], full=True)
    joined = ColorMetrics.from_sums(first.sums() + second.sums())
    assert first.sums().shape == (LENGTH,)
    assert first.sums().dtype == torch.float64
    assert joined.pictures == 4
    assert joined.result() == pytest.approx(whole.result(), rel=1e-6)
    assert joined.result() != pytest.approx(first.result(), rel=1e-3)


def test_sums_are_a_copy_and_their_shape_is_checked() -> None:
    metrics = ColorMetrics()
    metrics.sums().fill_(1.0)
    assert metrics.sums().abs().sum() == 0
    with pytest.raises(ValueError, match="shape"):
        ColorMetrics.from_sums(torch.zeros(LENGTH - 1, dtype=torch.float64))


def test_slow_numbers_are_there_only_if_measured() -> None:
    truth, ab = batch_of(1)
    quick = ColorMetrics.from_sums(measure(truth, ab).sum(dim=0)).result()
    full = ColorMetrics.from_sums(measure(truth, ab, full=True).sum(dim=0)).result()
    assert set(full) - set(quick) == {"ssim", "delta_e_2000"}
    assert quick == {name: full[name] for name in quick}


def test_ssim_and_delta_e_are_scikit_images_of_what_is_shown() -> None:
    truth, ab = batch_of(2)
    numbers = numbers_of_pictures(measure(truth, ab, full=True))
    shown = fit_to_gamut(torch.cat((truth.lab[:, :1], ab), dim=1))
    for index, true in enumerate(photographs(2)):
        rgb = lab_to_rgb(shown)[index].permute(1, 2, 0).double().numpy()
        ssim = structural_similarity(rgb, true / 255.0, channel_axis=2, data_range=1.0)
        assert numbers["ssim"][index] == pytest.approx(ssim, abs=1e-4)
        difference = reference.deltaE_ciede2000(reference.rgb2lab(rgb), reference.rgb2lab(true))
        assert numbers["delta_e_2000"][index] == pytest.approx(difference.mean(), abs=0.02)


def test_delta_e_of_a_published_pair() -> None:
    """Pair 25 of Sharma, Wu and Dalal 2005: equal but for hue and chroma at one lightness."""
    lab = torch.tensor([60.2574, -34.0099, 36.2677]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    ab = torch.tensor([-34.1751, 39.4387]).view(1, 2, 1, 1).expand(1, 2, 16, 16)
    found = measure(Truth(lab), ab, full=True)
    expected = reference.deltaE_ciede2000((60.2574, -34.0099, 36.2677), (60.2574, -34.1751, 39.4387))
    assert numbers_of_pictures(found)["delta_e_2000"][0] == pytest.approx(float(expected), abs=1e-3)
    assert 1.2 < expected < 1.3


def test_histograms_are_shares_and_their_distance_is_zero_for_the_truth() -> None:
    truth, ab = batch_of()
    ours = ColorMetrics.from_sums(measure(truth, ab).sum(dim=0))
    same = ColorMetrics.from_sums(measure(truth, truth.lab[:, 1:]).sum(dim=0))
    grey = ColorMetrics.from_sums(measure(truth, torch.zeros_like(ab)).sum(dim=0))
    for name in ("bins", "chroma", "true_bins", "true_chroma"):
        assert ours.shares(name).sum().item() == pytest.approx(1)
    chroma = truth.lab[:, 1:].norm(dim=1).flatten().numpy()
    counted = np.histogram(chroma, bins=68, range=(0, 68 * CHROMA_STEP))[0] / chroma.size
    np.testing.assert_allclose(ours.shares("true_chroma").numpy(), counted, atol=2e-4)  # float32 at a cell's edge
    for name in ("bins_js", "chroma_js"):
        assert same.result()[name] == pytest.approx(0, abs=1e-4)
        assert 0.01 < ours.result()[name] < grey.result()[name] < math.log(2)


# --- one pass over the pictures


def test_groups_and_pictures_add_up_to_the_whole(fresh_weights: Path) -> None:
    store = store_of(6)
    networks = {MODEL: load_weights(fresh_weights)[0]}
    outputs = [GREY, *outputs_of(MODEL, networks[MODEL])]
    told: list[int] = []
    scores = evaluate(networks, outputs, store, size=64, working_size=64, batch=4, on_pictures=told.append)
    assert told == [4, 6]
    assert [(s.output.model, s.output.name) for s in scores] == [
        ("grey", "ab = 0"), (MODEL, "mean, T = 1"), (MODEL, "--fast, or a film's frame"), (MODEL, "default"),
    ]  # fmt: skip
    for score in scores:
        by_category = score.groups["category"]
        assert {name: metrics.pictures for name, metrics in by_category.items()} == {"people": 4, "scene": 2}
        assert {name: metrics.pictures for name, metrics in score.groups["label"].items()} == {"beach": 1, "street": 1}
        together = ColorMetrics.from_sums(sum(metrics.sums() for metrics in by_category.values()))  # type: ignore[arg-type]
        assert together.result() == pytest.approx(score.all.result(), rel=1e-9)
        assert np.mean(score.pictures["delta_e_2000"]) == pytest.approx(score.all.result()["delta_e_2000"])
        assert len(score.pictures["psnr"]) == 6
    alone = evaluate(networks, outputs, store.part(1, 6), size=64, working_size=64)[1]
    assert alone.pictures["delta_e_2000"][0] == pytest.approx(scores[1].pictures["delta_e_2000"][1], rel=0.02)


def test_colourfulness_grows_with_vividness(fresh_weights: Path) -> None:
    network = load_weights(fresh_weights)[0]
    outputs = outputs_of(MODEL, network, (0.0, 0.5, 1.0, 2.0))
    scores = evaluate({MODEL: network}, outputs, store_of(2), size=64, working_size=64, full=False)
    found = [score.row()["colorfulness"] for score in scores if score.output.vividness is not None]
    assert [score.output.vividness for score in scores] == [None, None, 0.0, 0.5, 1.0, 2.0]
    assert found[0] == pytest.approx(0, abs=0.1)
    assert found == sorted(found)  # type: ignore[type-var]
    assert found[-1] > 1.2 * found[-2]  # type: ignore[operator]


def test_the_shipped_weights_colours_grow_with_vividness_on_real_pictures() -> None:
    data = Path(__file__).resolve().parents[3] / "shared" / "photos"
    if not data.is_dir():
        pytest.skip(f"real pictures are not at {data}")
    store = load_pictures(read_pictures(find_sources(data, "val")), 192, limit=12)
    network = load_weights(find_weights("scenes"))[0]
    asked = (0.0, 0.5, 1.0, 1.5, 2.0)
    decodings = [Decoding.of_command(network, vividness) for vividness in asked]
    found = [
        row["colorfulness_ratio"] for row in evaluate_network(network, store, decodings, size=192, working_size=192)
    ]
    assert found[0] == pytest.approx(0, abs=0.01)
    assert min(np.diff(found)) > 0.05  # the gamut's border takes little of what is asked for
    assert 0.85 < found[asked.index(1.0)] < 1.1  # 0.97 over a third of them; these 24 at 192 px 1.02


def test_a_networks_rows_do_not_depend_on_its_company(fresh_weights: Path, fresh_regression: Path) -> None:
    store = store_of(2)
    networks = {MODEL: load_weights(fresh_weights)[0], "b": load_weights(fresh_regression)[0]}
    outputs = [Output("b", "", Decoding()), Output(MODEL, "", Decoding()), Output("b", "again", Decoding(1.0, 1.0))]
    together = evaluate(networks, outputs, store, size=64, working_size=96, full=False)
    alone = evaluate_network(networks["b"], store, [Decoding()], size=64, working_size=96)[0]
    assert together[0].all.result() == alone
    assert together[2].all.result() == alone
    assert together[1].all.result() != alone


def test_categories_come_from_the_index(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "val.tar", "w") as archive:
        for name in ("a.png", "b.png", "c.png"):
            info = tarfile.TarInfo(name)
            info.size = len(content := pillow("PNG", photographs(1)[0]))
            archive.addfile(info, io.BytesIO(content))
    (tmp_path / "val.csv").write_text("name,category,label\na.png,scene,beach\nb.png,people,\n")
    store = load_pictures(read_pictures(find_sources(tmp_path, "val")), 64)
    assert store.names == ["a.png", "b.png", "c.png"]
    assert store.categories == ["scene", "people", ""]
    assert store.labels == ["beach", "people", ""]
    assert store.part(1, 2).categories == ["people"]


# --- the command


def evaluated(folder: Path, *more: object) -> int:
    return run(["evaluate", str(folder), "--size", "64", "--working-size", "64", "--device", "cpu", *map(str, more)])


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_table_always_has_grey_and_the_shipped_regression(
    folder: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # printing needs none
    assert evaluated(folder, "--model", fresh_weights, "--vividness", "0.5", "--vividness", "1.5") == 0
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0][:3] == ["model", "output", "vividness"]
    assert {"SSIM", "ΔE2000", "AuC %", "of the truth's"} <= set(cells[0])
    assert [row[0] for row in cells[2:]] == ["grey"] + ["regression"] * 4 + [str(fresh_weights)] * 4
    assert [row[2] for row in cells[2:]] == ["–"] + ["–", "–", "0.5", "1.5"] * 2
    assert {len(row) for row in cells} == {len(cells[0])}


def test_shipped_regression_is_not_repeated_and_json_has_every_number(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluated(folder, "--model", "regression", "--json", "--limit", "2") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["model"], row["output"]) for row in rows] == [
        ("grey", "ab = 0"), ("regression", "mean, T = 1"), ("regression", "--fast, or a film's frame"),
        ("regression", "default"),
    ]  # fmt: skip
    for row in rows:
        assert {"auc", "auc_rebalanced", "ab_mse", "psnr", "ssim", "delta_e_2000", "colorfulness"} <= set(row)
        assert {"colorfulness_ratio", "bins_js", "chroma_js", "vividness"} <= set(row)
    assert rows[0]["colorfulness"] == pytest.approx(0, abs=0.1)


class Page(HTMLParser):
    """Checks that tags are closed in order, and gathers pictures, links and text."""

    VOID = frozenset({"meta", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.images += [value or "" for name, value in attrs if name == "src"]
        assert not {"href", "onclick", "style"} & {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_is_whole_and_says_what_the_table_says(
    folder: Path, fresh_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "deep" / "report"
    model = tmp_path / "no $_{ formula $.safetensors"
    model.write_bytes(fresh_weights.read_bytes())
    assert evaluated(folder, "--model", model, "--json", "-o", report) == 0
    rows = json.loads(capsys.readouterr().out)
    facts = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert facts["rows"] == rows
    assert facts["pictures"] == 5
    assert facts["shown_vividness"] == 1
    assert {name: group["pictures"] for name, group in facts["groups"]["label"].items()} == {"beach": 3, "<b>&\n海": 2}
    assert facts["groups"]["category"] == {}
    assert [picture["name"] for picture in facts["by_picture"]] == sorted(p["name"] for p in facts["by_picture"])
    errors = [picture["scores"][str(model)]["delta_e_2000"] for picture in facts["by_picture"]]
    default = next(row for row in rows if row["model"] == str(model) and row["output"] == "default")
    assert np.mean(errors) == pytest.approx(default["delta_e_2000"], abs=1e-3)

    page = Page()
    html = (report / "report.html").read_text(encoding="utf-8")
    page.feed(html)
    assert page.open == []
    assert "script" not in page.tags
    assert "://" not in html
    assert "<b>&\\n海 (2)" in page.text  # escaped, and on one line
    assert f"{default['delta_e_2000']:.2f}" in page.text
    assert set(left_in(report)) == {"report.html", "report.json", *page.images}
    assert len(page.images) == 2 + 2 * 2  # two plots; worst and best of two models
    for name in page.images:
        with Image.open(report / name) as image:
            assert len(image.convert("RGB").getcolors(1 << 24) or []) > 50
    assert left_in(report.parent) == ["report"]


def test_sheets_show_the_largest_errors_first(folder: Path, tmp_path: Path) -> None:
    """The truth's panel of the first picture is the picture with the largest error, pixel for pixel in its colours."""
    report = tmp_path / "report"
    assert evaluated(folder, "--model", "regression", "-o", report, "--size", "174") == 0
    facts = json.loads((report / "report.json").read_text(encoding="utf-8"))
    order = sorted(facts["by_picture"], key=lambda picture: picture["scores"]["regression"]["delta_e_2000"])
    for file, picture in (("worst-0-regression.png", order[-1]), ("best-0-regression.png", order[0])):
        with Image.open(report / file) as sheet:
            panel = np.asarray(sheet)[38 : 38 + 174, 16 + 2 * 176 : 16 + 2 * 176 + 174].astype(int)
        with Image.open(folder / picture["name"]) as image:
            true = np.asarray(image.resize((174, 174), Image.Resampling.BICUBIC)).astype(int)
        assert np.abs(panel - true).mean() < 4


def test_every_category_shows_its_first_pictures(tmp_path: Path) -> None:
    """Two pictures of one category: the second one's truth stands in the sheet's second place."""
    with tarfile.open(tmp_path / "val.tar", "w") as archive:
        for number, rgb in enumerate(photographs(3, 174)):
            info = tarfile.TarInfo(f"{number}.png")
            info.size = len(content := pillow("PNG", rgb))
            archive.addfile(info, io.BytesIO(content))
    (tmp_path / "val.csv").write_text("name,category\n0.png,<people>\n1.png,scene\n2.png,<people>\n")
    report = tmp_path / "report"
    assert evaluated(tmp_path, "--model", "regression", "-o", report, "--size", "174") == 0
    html = (report / "report.html").read_text(encoding="utf-8")
    assert "First of &lt;people&gt;" in html
    assert [name for name in left_in(report) if name.startswith("first")] == ["first-0-people.png", "first-1-scene.png"]
    with Image.open(report / "first-0-people.png") as sheet:
        second = 16 + 3 * 176 + 16 + 2 * 176
        panel = np.asarray(sheet)[38 : 38 + 174, second : second + 174].astype(int)
    assert np.abs(panel - photographs(3, 174)[2].astype(int)).mean() < 4


def test_an_empty_folder_is_filled(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    assert evaluated(folder, "--model", "regression", "--limit", "2", "-o", tmp_path / "report") == 0
    assert "report.html" in left_in(tmp_path / "report")


@pytest.mark.parametrize(
    ("target", "code", "word"),
    [("file.txt", 2, "a file has this name"), ("full", 2, "not empty"), ("file.txt/x", 1, "Not a directory")],
)
def test_reports_that_cannot_be_written_fail_before_the_work(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, code: int, word: str
) -> None:
    (tmp_path / "file.txt").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine too")
    before = left_in(tmp_path)
    assert evaluated(folder, "-o", tmp_path / target) == code
    told = capsys.readouterr()
    assert "-o" in told.err
    assert word in told.err
    assert told.out == ""
    assert left_in(tmp_path) == before
    assert (tmp_path / "file.txt").read_text() == "mine"
    assert left_in(tmp_path / "full") == ["note.txt"]


def test_a_disk_that_fills_up_leaves_no_half_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from colorize_media.training import evaluation_report

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(evaluation_report, "write_sheet", full)
    before = left_in(tmp_path)
    assert evaluated(folder, "--model", "regression", "--limit", "2", "-o", tmp_path / "report") == 1
    told = capsys.readouterr().err
    assert "No space left" in told
    assert str(tmp_path / "report") in told.replace("\n", "")
    assert left_in(tmp_path) == before


def test_the_report_says_that_it_needs_matplotlib(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert evaluated(folder, "-o", tmp_path / "report") == 3
    assert "pip install matplotlib" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_no_pictures_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("no picture")
    assert evaluated(tmp_path / "data", "-o", tmp_path / "report") == 1
    assert "no pictures" in capsys.readouterr().err
    assert evaluated(tmp_path / "nothing") == 1
    assert "no such file or folder" in capsys.readouterr().err
    assert left_in(tmp_path) == ["data"]


def test_damaged_weights_are_an_error(
    folder: Path, tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(fresh_weights.read_bytes()[:10_000])
    assert evaluated(folder, "--model", cut, "-o", tmp_path / "report") == 3
    assert "cannot use weights" in capsys.readouterr().err
    assert evaluated(folder, "--model", "no-such-model") == 2
    assert "unknown model" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_bad_options_are_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluated(folder, "--vividness", "2.5") == 2
    assert "2.5" in capsys.readouterr().err
    assert evaluated(folder, "--model", "regression", "--limit", "1", "--sheet", tmp_path / "no" / "s.png") == 1
    assert "cannot write the sheet" in capsys.readouterr().err


# --- FID and LPIPS


def test_fid_network_pools_as_tensorflow_did() -> None:
    """Averages leave the padding out; the last block takes the maximum. The other channels are torchvision's."""
    network = fid_inception().eval()
    x = torch.rand(1, 192, 9, 9, generator=torch.Generator().manual_seed(0))
    block = network.get_submodule("Mixed_5b")
    with torch.no_grad():
        pooled = torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        torch.testing.assert_close(block(x)[:, -32:], block.get_submodule("branch_pool")(pooled))
        torch.testing.assert_close(block(x)[:, :64], block.get_submodule("branch1x1")(x))
        last = network.get_submodule("Mixed_7c")
        x = torch.rand(1, 2048, 4, 4, generator=torch.Generator().manual_seed(0))
        pooled = torch.nn.functional.max_pool2d(x, 3, 1, 1)
        torch.testing.assert_close(last(x)[:, -192:], last.get_submodule("branch_pool")(pooled))
        assert last(x).shape == (1, 2048, 4, 4)


@pytest.mark.parametrize("option", ["--fid-weights", "--lpips-weights"])
def test_missing_torchmetrics_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    for name in ("torchmetrics", "torchmetrics.image", "torchmetrics.functional"):
        monkeypatch.setitem(sys.modules, name, None)
    assert evaluated(folder, option, "weights.safetensors") == 3
    assert "torchmetrics" in capsys.readouterr().err


def test_perceptual_weights_must_fit(tmp_path: Path) -> None:
    pytest.importorskip("torchmetrics")
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other)
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(other.read_bytes()[:-2])
    for kind in (FrechetInceptionDistance, Lpips):
        with pytest.raises(BadOption, match="no such weights"):
            kind(tmp_path / "none.safetensors", CPU)
        for file in (other, torn):
            with pytest.raises(WeightsDamaged):
                kind(file, CPU)


@pytest.mark.slow
def test_perceptual_numbers_are_columns(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With networks that have learned nothing: truth against truth is 0, everything else is more."""
    torch.manual_seed(4)
    lpips_kind = pytest.importorskip("torchmetrics.functional.image.lpips")._LPIPS
    state = fid_inception().state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "inception.safetensors")
    state = lpips_kind(pretrained=False, pnet_rand=True, net="alex").state_dict()
    save_file(
        {name: value.abs().clone() if "lin" in name else value.clone() for name, value in state.items()},
        tmp_path / "lpips.safetensors",
    )
    weights = ("--fid-weights", tmp_path / "inception.safetensors", "--lpips-weights", tmp_path / "lpips.safetensors")
    assert evaluated(folder, "--model", "regression", "--limit", "2", "--json", *weights) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(row["fid"] > 0 and row["lpips"] > 0 for row in rows)
    for name, kind, file in (("fid", FrechetInceptionDistance, "inception"), ("lpips", Lpips, "lpips")):
        metric = kind(tmp_path / f"{file}.safetensors", CPU)
        truth = torch.from_numpy(np.stack(photographs(3))).permute(0, 3, 1, 2) / 255.0
        metric.start(truth)
        metric.add("same", truth)
        assert metric.result("same") == {name: pytest.approx(0, abs=1e-4)}
