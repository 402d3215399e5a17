"""Of records and rows the part that is asked for stays: the member, in a record larger than the budget, and not the
rows beside the one that answers."""

from __future__ import annotations

import json
import random

import pytest
from invented import NAMES

from fieldpack.tools import trim

KEYS = [
    "title",
    "vendor",
    "warehouse",
    "weight_kg",
    "color",
    "material",
    "origin",
    "batch",
    "supplier_note",
    "packaging",
    "warranty_months",
    "carrier",
    "shelf",
    "ean",
    "reviews",
    "tax_class",
    "customs_code",
    "restock_date",
    "returns_policy",
    "energy_label",
    "discount",
]
WORDS = NAMES[:15]


def products():
    drawn = random.Random(3)

    def phrase(count):
        return " ".join(drawn.choice(WORDS) for _ in range(count))

    wordy = ("supplier_note", "reviews", "returns_policy", "packaging")
    made = [
        {"sku": f"P-{2000 + i}"}
        | {key: phrase(6) if key in wordy else f"{drawn.choice(WORDS)}-{drawn.randrange(1000)}" for key in KEYS}
        for i in range(60)
    ]
    made[31]["title"] = "Nimbus lantern"
    return made


PRODUCTS = products()
SHAPES = {
    "list": lambda rows: rows,
    "wrapped": lambda rows: {"items": rows, "next": None},
    "pretty": lambda rows: json.dumps(rows, indent=1),
    "lines": lambda rows: "\n".join(map(json.dumps, rows)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("budget", [100, 130, 160])
@pytest.mark.parametrize(
    ("question", "member"),
    [
        ("on which shelf is the Nimbus lantern?", "shelf"),
        ("is there a discount on the Nimbus lantern?", "discount"),
        ("what is the restock date of P-2031?", "restock_date"),
        ("what energy label does the Nimbus lantern have?", "energy_label"),
    ],
)
def test_of_a_record_larger_than_the_budget_the_member_that_is_asked_for_stays(shape, budget, question, member):
    trimmed = trim(SHAPES[shape](PRODUCTS), question=question, budget=budget, threshold=0)
    assert json.dumps({member: PRODUCTS[31][member]})[1:-1] in trimmed.text.replace('":"', '": "'), trimmed.text
    assert trimmed.tokens_after <= budget


def customers():
    drawn = random.Random(4)
    rows = [
        f"{1000 + i},{drawn.choice(WORDS).title()} {drawn.choice(WORDS).title()},{drawn.choice(['admin', 'viewer'])},"
        f"2026-0{1 + i % 9}-{10 + i % 18}"
        for i in range(120)
    ]
    rows[57] = "1057,Zora Quill,viewer,2026-04-02"
    rows[90] = "1090,Zora Quill,admin,2026-08-21"
    return rows


@pytest.mark.parametrize("budget", [150, 400])
def test_rows_beside_the_one_that_answers_do_not_fill_the_budget(budget):
    rows = customers()
    shown = trim(
        "\n".join(["id,name,role,seen", *rows]), question="what roles has Zora Quill?", budget=budget, threshold=0
    )
    kept = [line for line in shown.output.split("\n") if line in rows]
    assert kept == [rows[57], rows[90]]


def test_rows_fill_the_budget_where_none_is_clearly_asked_for():
    rows = customers()
    shown = trim(
        "\n".join(["id,name,role,seen", *rows]), question="what does this table hold?", budget=150, threshold=0
    )
    assert len([line for line in shown.output.split("\n") if line in rows]) >= 3
