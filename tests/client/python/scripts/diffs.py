"""The changes that turn a script of this folder into the one on a feed, as the package's README shows them.

    python diffs.py    # prints them
"""
import difflib
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent
SCRIPTS = ("mixmatch", "mixup")


def lines_of(name):
    return (FOLDER / f"{name}.py").read_text().splitlines(keepends=True)


def changed_lines(name):
    """A line that is replaced, added or taken away counts once."""
    matcher = difflib.SequenceMatcher(None, lines_of(name), lines_of(f"{name}_feed"), autojunk=False)
    return sum(max(old_end - old, new_end - new) for kind, old, old_end, new, new_end in matcher.get_opcodes()
               if kind != "equal")


def diff(name):
    return "".join(difflib.unified_diff(lines_of(name), lines_of(f"{name}_feed"), f"{name}.py", f"{name}_feed.py", n=1))


if __name__ == "__main__":
    print("\n".join(diff(name) for name in SCRIPTS), end="")
