"""Mistakes that people make: each gives one line with the key's path, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.errors import RecipeError
from chainrule.experiments import load_recipe, parse_recipe
from chainrule.experiments.recipes.data_checks import check_with_data
from chainrule.experiments.recipes.errors import OTHER_NAMES
from chainrule.experiments.recipes.schema import TABLES
from chainrule.experiments.recipes.settings import KNOWN_KEYS

DATA = '[data]\nsource = "xor"\n'

BELOW = [  # below [data]
    ("[training]\nlr = 0.1", ["training.lr = 0.1", "here it is called 'training.learning_rate'"]),
    ("[training]\nlearning_rte = 0.1", ["did you mean 'training.learning_rate'?"]),
    ("[training]\nmomentum = 0.9", ["'training.optimizer'", '"momentum(0.9)"']),
    ("[training]\nearly_stopping = 5", ["'training.stopping'"]),
    ("[training]\nhidden = [4]", ["here it is called 'network.hidden'"]),
    ("[network]\nhidden_sizes = [4]", ["here it is called 'network.hidden'"]),
    ("[network]\nlr = 0.1", ["here it is called 'training.learning_rate'"]),
    ("[network]\nepochs = 3", ["did you mean 'training.epochs'?"]),
    ("[network]\nhidden = true", ["network.hidden = true", "[4, 4]"]),
    ("[network]\nhidden = '4'", ["network.hidden", "[4, 4]"]),
    ("[network]\nhidden = [4, 0]", ["network.hidden = [4, 0]", "at least 1"]),
    ("[training]\nepochs = 1e3", ["training.epochs = 1000.0", "whole number"]),
    ("[training]\nepochs = -5", ["training.epochs = -5", "from 0"]),
    ("[training]\nlearning_rate = 1979-01-01", ["training.learning_rate", "date"]),
    ("[training]\nlearning_rate = nan", ["training.learning_rate = nan"]),
    ("[training]\nlearning_rate = 1e999", ["training.learning_rate = inf"]),
    ("[training]\nepochs = 99999999999999999999", ["training.epochs", "too large"]),
    ("[training]\nlearning_rate.x = 3", ["'training.learning_rate' is a single value, no table"]),
    ("[training]\nstratify = 'yes'", ["training.stratify", "true or false"]),
    ("[training]\nloss = 'crossentropy'", ["training.loss", "binary_cross_entropy"]),
    ("[axs]\na = [1]", ["axs", "did you mean 'axes'?"]),
    ("[grid]\na = [1]", ["grid", "here it is called 'axes'"]),
    ("[model]\nhidden = [4]", ["model", "here it is called 'network'"]),
    ("[axes]\nlr = [0.1]", ["axes.lr", "'training.learning_rate'"]),
    ("[axes]\nlearning_rate = [0.1]", ["axes.learning_rate", "did you mean 'training.learning_rate'?"]),
    ("[axes]\ntraining.lr = [0.1]", ["axes.training.lr", "'training.learning_rate'"]),
    ("[axes]\ntraining.learning_rate = 0.1", ["axes.training.learning_rate = 0.1", "a list such as [0.1]"]),
    ("[axes]\ntraining.learning_rate = []", ["axes.training.learning_rate is empty"]),
    ("[axes]\ntraining.learning_rate = [0.1, 'a']", ["axes.training.learning_rate[1] = 'a'"]),
    ("[axes]\ntraining.learning_rate = [0.1, 1.0, 0.1]", ["0.1 is given twice, as values 1 and 3"]),
    ("[axes]\ntraining.learning_rate = [nan]", ["must be finite"]),
    ("[axes]\nnetwork.hidden = [4, 4]", ["given twice", "[[4, 4]]"]),
    ("[axes]\nnetwork.hidden = [[4, 'x']]", ["axes.network.hidden[0] = [4, 'x']"]),
    ("[axes]\ntraining.learning_rate = { from = 1, to = 2 }", ["exactly one of step, count and per_decade", "none"]),
    ("[axes]\ntraining.learning_rate = { from = 1, count = 2 }", ["to is missing"]),
    ("[axes]\ntraining.learning_rate = { from = 1, to = 2, cout = 3 }", [".cout", "did you mean 'count'?"]),
    ("[axes]\ntraining.learning_rate = { from = 'a', to = 2, count = 3 }", ["from = 'a'", "a number is needed"]),
    ("[axes]\ntraining.learning_rate = { from = 0, to = 2, per_decade = 3 }", ["begins above 0"]),
    ("[axes]\ntraining.learning_rate = { from = 1, to = 2, step = 0.5, log = true }", ["not step"]),
    ("[axes]\ntraining.learning_rate = { values = [1], to = 2 }", ["values lists the values; to belongs to a range"]),
    ("[axes]\ntraining.learning_rate = { only = { case = 'a' } }", ["give values, or a range"]),
    ("[axes]\ntraining.epochs = { from = 1, to = 9e8, step = 1 }", ["900,000,000 values; at most"]),
    ("[axes]\ntraining.epochs = { values = [1, 2], only = { case = 'a' } }", ["unknown axis 'case'"]),
    ("[axes]\n'training.optimizer.beta' = [0.5]", ["cell 'beta=0.5'", "optimizer 'sgd' has no value 'beta'", "only"]),
    ("[axes]\n'training.optimizer.bta' = [0.5]", ["did you mean 'beta'?"]),
    ("[axes]\n'network.output.slope' = [0.5]", ["network.output must be named"]),
    ("[[axes]]\na = [1]", ["axes", "[axes], then"]),
    ("[[zipped]]\n'network.l2' = [0.1]", ["zipped[0]", "two or more"]),
    ("[[zipped]]\n'network.l2' = [0.1]\n'network.l1' = [0.1, 0.2]", ["network.l2 has 1, network.l1 has 2"]),
    ("[[zipped]]\n'network.l2' = [0.1]\n'network.l3' = [0.1]", ["zipped[0].network.l3[0]", "network.l1"]),
    ("[[zipped]]\n'network.l2' = 3\n'network.l1' = [1]", ["zipped[0].network.l2 = 3", "a list"]),
    (
        "[axes]\n'network.l2' = [0.1]\n[[zipped]]\n'network.l2' = [0.1]\n'network.l1' = [0.1]",
        ["zipped[0].network.l2", "axes.network.l2 sets this key too"],
    ),
    (
        "[axes]\n'network.l2' = [0.1]\n[cases.a]\n'network.l2' = 0.2",
        ["cases.a.network.l2", "axes.network.l2 sets this key too"],
    ),
    ("[training]\nlearning_rate = [0.1, 1.0]", ["to try several values", '"training.learning_rate" = [0.1, 1.0]']),
    ("[network]\nhidden = [[2], [4]]", ["to try several values", '"network.hidden" = [[2], [4]]']),
    ("[training]\nlearning_rate = { from = 0.1, to = 1, count = 3 }", ["a range belongs in [axes]"]),
    ("[axes]\nseeds = [1, 2]", ["every cell is trained from all of them"]),
    ("[axes]\ntraining.learning_rate = { start = 1, stop = 2 }", ["here it is called 'from'"]),
    (
        "[axes]\ntraining.learning_rate = { values = [1], only = 'sgd' }",
        [".only = 'sgd'", "a table is needed, such as"],
    ),
    ("[variants.x]\nset = { training.epochs = 1 }\nonly = { a = 1 }", ["variants.x: only: unknown axis 'a'"]),
    ("[seeds]\ncount = 0", ["seeds.count = 0", "at least 1"]),
    ("[seeds]\ncount = 2.5", ["seeds.count = 2.5", "a whole number"]),
    ("[seeds]\ncount = '3'", ["seeds.count = '3'", "a whole number"]),
    ("[seeds]\ncount = true", ["seeds.count = true", "a whole number"]),
    ("[seeds]\nlist = []", ["seeds.list", "empty"]),
    ("[seeds]\nlist = [1, 1]", ["twice"]),
    ("[seeds]\nlist = [-1]", ["seeds.list[0] = -1", "at least 0"]),
    ("[seeds]\nlist = [1]\ncount = 3", ["list names the seeds"]),
    ("[seeds]\nstart = 1", ["seeds.start", "'seeds.first'"]),
    ("[success]\nmetric = 'acc'\nat_least = 0.9", ["success.metric", "did you mean 'accuracy'?"]),
    ("[success]\nmetric = 'accuracy'\nat_least = 90", ["lies between 0 and 1"]),
    ("[success]\nmetric = 'accuracy'\nat_least = nan", ["success.at_least", "finite"]),
    ("[success]\nmetric = 'validation_accuracy'\nat_least = 0.9", ["success.metric", "validation_accuracy"]),
    ("[success]\nmetric = 'accuracy'\nthreshold = 0.9", ["success.threshold", "'success.at_least'"]),
    ("[[questions]]\nask = 'compar'", ["questions[0].ask = 'compar'", "did you mean 'compare'?"]),
    ("[[questions]]\na = { case = 'a' }", ["questions[0].ask", "needed"]),
    ("[[questions]]\nask = 'compare'", ["questions[0]", "a is missing"]),
    ("[[questions]]\nask = 'compare'\na = { case = 'a' }\nb = { case = 'b' }", ["questions[0].a", "no axis 'case'"]),
    ("[[questions]]\nask = 'spread'\nb = { case = 'b' }", ["no second side"]),
    ("[[questions]]\nask = 'spread'\nquantity = 'success'", ["questions[0].quantity", "success needs a rule"]),
    ("[[questions]]\nask = 'spread'\nquantity = 'final los'", ["questions[0].quantity", "did you mean 'loss'?"]),
    ("[[questions]]\nask = 'spread'\nquantity = 'windows(10)@0..20'", ["questions[0].quantity", "many values"]),
    (
        "[axes]\n'network.l2' = [0.0, 0.1]\n[[questions]]\nask = 'spread'\nquantity = 'loss'",
        ["one cell", "'network.l2'"],
    ),
    ("[[questions]]\nask = 'spread'\nquantity = 'acuracy'", ["did you mean 'accuracy'?"]),
    ("[[questions]]\nask = 'spread'\nlevel = 95", ["questions[0].level = 95", "below 1"]),
    ("[[questions]]\nask = 'spread'\nmargin = -1", ["questions[0].margin = -1", "at least 0"]),
    ("[[questions]]\nask = 'spread'\nmax_seeds = 3", ["questions[0].max_seeds = 3", "at least 6"]),
    ("[[questions]]\nask = 'rank'\nquantity = 'final loss'", ["at least two cells"]),
    ("[[questions]]\nask = 'importance'\nquantity = 'final loss'", ["the recipe has none"]),
    ("[training]\nlearning_rate = .1", ["line 4", "learning_rate = .1", "write 0.1"]),
    ("[training]\nlearning_rate = 1.", ["line 4", "write 1.0"]),
    ("[training]\nstratify = True", ["line 4", "true or false"]),
    ("[training]\noptimizer = adam", ["line 4", "in quotes"]),
    ("[training]\noptimizer: 'adam'", ["line 4", "= instead of :"]),
    ("[training]\nclip_norm = None", ["line 4", "leave the key out"]),
    ("[training]\nepochs =", ["line 4", "the value is missing"]),
    ("[training]\nepochs = 3\nepochs = 4", ["line 5", "given twice"]),
    (
        "[axes]\ntraining.optimizer = ['sgd']\ntraining.optimizer.beta = [0.5]",
        ["line 5", 'quote it, as "training.opti'],
    ),
    ("[training\nepochs = 3", ["line 3", "] is missing"]),
    ("[data]\nsource = 'xor'", ["line 3", "[data]"]),
]

ABOVE = [  # above [data]
    ("lr = 0.1", ["lr: ", "'training.learning_rate'"]),
    ("epochs = 10", ["did you mean 'training.epochs'?"]),
    ("seeds = 0", ["seeds.count = 0", "at least 1"]),
    ("seeds = 'many'", ["seeds.count = 'many'", "a whole number"]),
    ("success = 'accuracy'", ["success", "METRIC>=NUMBER"]),
    ("success = 'accuracy >= 2'", ["success", "lies between 0 and 1"]),
    ("axes = 3", ["axes = 3", "[axes]"]),
    ("zipped = 3", ["zipped = 3", "[[zipped]]"]),
    ("network = 3", ["network = 3", "a table is needed"]),
    ("id = 'a b'", ["id = 'a b'", "letters, digits"]),
    ("id = ''", ["id", "empty"]),
    ("title = 3", ["title = 3", "a text in quotes"]),
    ("questions = [3]", ["questions[0] = 3", "a table is needed"]),
]


def message_of(text: str) -> str:
    with pytest.raises(RecipeError) as error:
        parse_recipe(text, "r.toml")
    message = str(error.value)
    assert message.startswith("r.toml: ")
    assert message.isprintable()
    assert len(message) < 600
    return message


@pytest.mark.parametrize(("text", "told"), BELOW)
def test_a_mistake_in_a_table(text: str, told: list[str]) -> None:
    message = message_of(DATA + text)
    assert [word for word in told if word not in message] == [], message


@pytest.mark.parametrize(("text", "told"), ABOVE)
def test_a_mistake_at_the_top(text: str, told: list[str]) -> None:
    message = message_of(f"{text}\n{DATA}")
    assert [word for word in told if word not in message] == [], message


def test_sides_that_share_a_cell() -> None:
    axes = '[axes]\ntraining.optimizer = ["sgd", "adam"]\n[[questions]]\nask = "compare"\nquantity = "final loss"\n'
    both = message_of(
        DATA + axes + 'a = { "training.optimizer" = ["sgd", "adam"] }\nb = { "training.optimizer" = "sgd" }'
    )
    assert "questions[0]: cell 'optimizer=sgd' is on both sides" in both
    none = message_of(DATA + axes + 'a = { "training.optimizer" = "adma" }\nb = { "training.optimizer" = "sgd" }')
    assert "questions[0].a: no cell has training.optimizer = 'adma'; its values: 'sgd', 'adam'" in none
    axis = message_of(DATA + axes + 'a = { "training.optimiser" = "adam" }\nb = { "training.optimizer" = "sgd" }')
    assert "questions[0].a: unknown axis 'training.optimiser'; did you mean 'training.optimizer'?" in axis


def test_every_other_name_leads_to_a_key_that_exists() -> None:
    tables = {f"{table}.{field.alias or name}" for table, model in TABLES.items() if table
              for name, field in model.model_fields.items()}  # fmt: skip
    known = {*KNOWN_KEYS, *tables, *TABLES[""].model_fields}
    for old, new in OTHER_NAMES.items():
        assert new in known, f"{old} -> {new}"
        assert old not in known, f"{old} is a key"


IMPOSSIBLE = [
    ("[training]\nloss = 'softmax_cross_entropy'", ["softmax"]),
    ("[training]\nclass_weight = '7=2.0'", ["class"]),
    ("[training]\nstopping = ['patience(5)']", ["validation"]),
    ("[training]\nvalidation = 0.97", ["validation"]),
    ("[axes]\ntraining.loss = ['mse', 'softmax_cross_entropy']", ["cell 'loss=softmax_cross_entropy'", "softmax"]),
]


@pytest.mark.parametrize(("text", "told"), IMPOSSIBLE)
def test_what_only_the_data_can_tell(text: str, told: list[str]) -> None:
    recipe = parse_recipe(DATA + text, "r.toml")
    with pytest.raises(RecipeError) as error:
        check_with_data(recipe)
    message = str(error.value)
    assert message.startswith("r.toml: ")
    assert "\n" not in message
    assert [word for word in told if word not in message] == [], message


def test_data_that_are_not_at_hand_are_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (note,) = check_with_data(parse_recipe('[data]\nsource = "mnist"'))
    assert "'mnist' are not at hand" in note
    (note,) = check_with_data(parse_recipe('[data]\nsource = "linear(n=40_000_000)"'))
    assert "very large" in note
    assert check_with_data(parse_recipe(DATA)) == []


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    def told(path: Path) -> str:
        with pytest.raises(RecipeError) as error:
            load_recipe(path)
        assert "\n" not in str(error.value)
        return str(error.value)

    good = tmp_path / "recipe.toml"
    good.write_bytes(b"\xef\xbb\xbf" + DATA.encode())  # as some editors save text
    assert load_recipe(good).id == "recipe"
    assert f"no such file; did you mean '{good}'?" in told(tmp_path / "recpe.toml")
    assert told(tmp_path / "zzz").endswith("there is no such file")
    assert "this is a folder" in told(tmp_path)
    assert "no such file" in told(good / "inside") or "Not a directory" in told(good / "inside")
    assert "cannot read" in told(Path("a\0b"))
    binary = tmp_path / "model.bin"
    binary.write_bytes(bytes(range(256)))
    assert "a binary file" in told(binary)
    latin = tmp_path / "latin.toml"
    latin.write_bytes("title = 'é'\n".encode("latin-1"))
    assert "not a UTF-8 text file" in told(latin)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 2**23)
    assert "too large" in told(large)
    empty = tmp_path / "empty.toml"
    empty.write_bytes(b"")
    assert "add [data]" in told(empty)


@pytest.mark.parametrize(
    ("source", "tables", "begins"),
    [
        ("xor", '[training]\nloss = "mse"\n[network]\noutput = "softmax"', "network.output: "),
        ("xor", "[training]\nvalidation = 0.6\ntest = 0.5", "training.validation: "),
        ("xor", '[network]\nlayers = "conv 3 3"', "network.layers: "),
        ("digits", '[network]\nlayers = "conv 8 50"', "network.layers: "),
        ("xor", '[training]\nloss = "binary_cross_entropy"\n[network]\noutput = "tanh"', "training.loss: "),
        (
            "xor",
            '[axes]\n"training.loss" = ["mse", "softmax_cross_entropy"]\n"network.output" = ["sigmoid"]',
            "training.loss: cell 'loss=softmax_cross_entropy, output=sigmoid': ",
        ),
        ("xor", '[training]\nstopping = ["patience(5)"]', "training.stopping: "),
        ("curve", '[training]\nclass_weight = "balanced"', "training.class_weight: "),
        ("curve", "[training]\nstratify = true\nvalidation = 0.2", "training.stratify: "),
        ("curve", '[training]\nmetrics = ["f1"]', "training: metric 'f1'"),
    ],
)
def test_what_does_not_go_together_names_the_key_to_change(source: str, tables: str, begins: str) -> None:
    with pytest.raises(RecipeError) as caught:
        check_with_data(parse_recipe(f'[data]\nsource = "{source}"\n{tables}'))
    assert str(caught.value).startswith(f"recipe: {begins}")
    assert "\n" not in str(caught.value)
