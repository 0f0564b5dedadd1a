"""What the READMEs' commands write in a checkout, they write to build/.

    readme_writes_test.py CHECKOUT
"""
import pathlib
import re
import sys

# Commands and flags whose argument is written to.
WRITES = re.compile(r"(?:--state-dir|--cache-dir|--out|--png|mkdir -p|fetch-dataset\.sh [a-z0-9-]+|\.save\()[ \"]*([^\s\"`]+)|"
                    r"--(?:python|grpc)_out=(\S+)")

checkout = pathlib.Path(sys.argv[1])
checked, wrong = 0, []
for readme in ("README.md", "deploy/README.md", "client/python/README.md"):
    text = re.sub(r"\s+", " ", (checkout / readme).read_text())
    for match in WRITES.finditer(text):
        target = match[1] or match[2]
        if not re.match(r"[\w./]*[\w/]$", target) or target == "DIR":
            continue  # prose about the flag
        checked += 1
        if not target.startswith("build/"):
            wrong.append(f"{readme}: {match[0]}")
assert not wrong, wrong
assert checked >= 8, f"only {checked} commands found"
print(f"{checked} commands write to build/")
