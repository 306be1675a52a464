"""Runs the stories of a driver: all of them, or the one that --only names."""
import argparse
import pathlib
import sys

from server import KIWI


def run_stories(stories, doc):
    """Each story is called with the server's path. Returns the exit code: 1 if one has failed."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--server", default=str(KIWI))
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    failed = []
    for story in stories:
        if args.only and args.only != story.__name__:
            continue
        try:
            story(args.server)
            print(f"ok      {story.__name__}", flush=True)
        except Exception as error:  # one story's failure must not hide the others
            failed.append(story.__name__)
            print(f"FAILED  {story.__name__}: {type(error).__name__}: {error}", flush=True)
    if failed:
        print(f"again: tests/integration/{pathlib.Path(sys.argv[0]).name} --only {failed[0]}")
    return 1 if failed else 0
