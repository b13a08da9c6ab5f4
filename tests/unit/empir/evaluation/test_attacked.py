"""Answers to attacked images: right, kept, and never asked for twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from empir.attacks import attack
from empir.evaluation import attacked as module
from empir.evaluation.answers import Answers
from empir.evaluation.attacked import SCORES, Question, attacked
from empir.evaluation.target import Target
from tests.unit.empir.evaluation.examples import Means, quadrants, target

SAMPLES = 20
QUESTION = Question(attack("fgsm", "", epsilon=0.45), "mean_probability")


def ask(on: Target, question: Question = QUESTION, samples: int = SAMPLES) -> Answers:
    return attacked(on, question, np.arange(samples), on.labels[:samples])


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def no_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("attacked again")

    monkeypatch.setattr(module, "run", refuse)


def test_answers_are_those_of_the_ensemble_to_the_attacked_images() -> None:
    on = target([Means(), Means(favour=1, bias=0.2)], quadrants(SAMPLES))
    found = ask(on)
    images = on.dataset.images(slice(None)).requires_grad_()
    probabilities = torch.stack([member(images).softmax(-1) for member in on.module.members])
    loss = -probabilities.mean(0).log().gather(1, on.dataset.labels[:, None]).sum()
    (gradient,) = torch.autograd.grad(loss, images)
    moved = (images + 0.45 * gradient.sign()).clamp(0, 1).detach()
    change = (moved - images).detach().flatten(1)
    for k, member in enumerate(on.module.members):
        assert found.members[k].tolist() == member(moved).argmax(-1).tolist()
    mean = torch.stack([member(moved).softmax(-1) for member in on.module.members]).mean(0)
    assert found.decisions.tolist() == mean.argmax(-1).tolist()
    assert found.linf == pytest.approx(change.abs().amax(1).numpy())
    assert found.l2 == pytest.approx(change.square().sum(1).sqrt().numpy())
    assert found.l0.tolist() == (change != 0).sum(1).tolist()


@pytest.mark.usefixtures("no_attack")
def test_clean_answers_need_no_attack() -> None:
    on = target([Means()], quadrants(SAMPLES))
    found = ask(on, Question())
    assert found.decisions.tolist() == on.labels.tolist()
    assert not found.l2.any()


def test_the_second_answer_comes_from_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on = target([Means()], quadrants(SAMPLES), folder=tmp_path, batch_size=8)
    first = ask(on)
    assert len(files(tmp_path)) == 3
    monkeypatch.setattr(module, "run", None)
    again = ask(on)
    assert again.decisions.tolist() == first.decisions.tolist()
    assert again.seconds == pytest.approx(first.seconds)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on = target([Means()], quadrants(SAMPLES), folder=tmp_path, batch_size=8)
    attacks: list[int] = []
    run = module.run

    def interrupted(*arguments: object, **options: object) -> object:
        attacks.append(1)
        if len(attacks) == 2:
            raise KeyboardInterrupt
        return run(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(on)
    found = ask(on)
    assert len(attacks) == 4  # one whole, one cut short, and the two that were left
    assert found.decisions.tolist() == ask(target([Means()], quadrants(SAMPLES), batch_size=8)).decisions.tolist()


def test_a_longer_run_uses_what_a_shorter_one_has_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = quadrants(SAMPLES)
    ask(target([Means()], long.limited(16), folder=tmp_path, batch_size=8), samples=16)
    before = files(tmp_path)
    ask(target([Means()], long, folder=tmp_path, batch_size=8))
    assert len(files(tmp_path)) == len(before) + 1


def test_another_question_has_another_answer(tmp_path: Path) -> None:
    def kept(question: Question = QUESTION, **changes: int) -> set[Path]:
        before = set(files(tmp_path))
        ask(target([Means()], quadrants(SAMPLES), folder=tmp_path, **changes), question)
        return set(files(tmp_path)) - before

    fgsm = QUESTION.attack
    assert kept()
    assert not kept()
    assert kept(seed=1)
    assert kept(Question(fgsm, "margin"))
    assert kept(Question(fgsm, "margin", 10.0))
    assert kept(Question(attack("fgsm", "", epsilon=0.4), "margin"))
    assert kept(Question(attack("bim", "", epsilon=0.4), "margin"))


def test_other_members_labels_or_pixels_have_other_answers(tmp_path: Path) -> None:
    data = quadrants(SAMPLES)
    on = target([Means()], data, folder=tmp_path)
    ask(on)
    attacked(on, QUESTION, np.arange(SAMPLES), (on.labels + 1) % 4)
    attacked(on, QUESTION, np.arange(SAMPLES)[::-1].copy(), on.labels[::-1].copy())
    ask(target([Means(), Means()], data, folder=tmp_path))
    assert len(files(tmp_path)) == 4


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut", b"{}"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    on = target([Means()], quadrants(SAMPLES), folder=tmp_path)
    first = ask(on)
    (path,) = files(tmp_path)
    path.write_bytes(damage)
    assert ask(on).decisions.tolist() == first.decisions.tolist()
    assert path.read_bytes() != damage


def test_progress_counts_images(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    on = target([Means()], quadrants(SAMPLES), batch_size=8)
    attacked(on, QUESTION, np.arange(SAMPLES), on.labels, lambda done, total: told.append((done, total)))
    assert told == [(0, 20), (8, 20), (16, 20), (20, 20)]


def test_success_is_the_ensembles_not_the_surrogates() -> None:
    """Random starts go on until one fools the majority, not the member whose gradient is followed."""
    weak, stout = Means(favour=0, bias=0.5), Means()
    on = target([weak, stout, stout], quadrants(SAMPLES), "max_vote")
    samples = np.flatnonzero(on.labels)

    def fooled(restarts: int) -> Answers:
        # Steps too short to matter: what counts is how many starts are tried.
        pgd = attack("pgd", "", epsilon=0.2, step=1e-6, iterations=1, restarts=restarts)
        return attacked(on, Question(pgd, "member:fp1"), samples, on.labels[samples])

    once, often = fooled(1), fooled(20)
    assert (once.members[0] != on.labels[samples]).sum() > (once.decisions != on.labels[samples]).sum()
    assert (often.decisions != on.labels[samples]).sum() > (once.decisions != on.labels[samples]).sum()


def test_scores_ask_the_ensemble_itself() -> None:
    on = target([Means(), Means()], quadrants(SAMPLES))
    assert Question(None, SCORES).model(on) is on.module


def test_questions_have_short_names() -> None:
    assert str(Question(attack("pgd", "", epsilon=0.1, iterations=7), "margin", 0.1)) == "pgd-7 on margin / 0.1"
    assert str(QUESTION) == "fgsm on mean_probability"
    assert str(Question()) == "clean"
