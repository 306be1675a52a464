#!/usr/bin/env python3
"""The checks notice what they are for: run on trees made for it."""
import pathlib
import shutil
import tempfile
import unittest

import check
import check_layers


class LayersTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        (self.root / "utils").mkdir()
        shutil.copy(check_layers.ROOT / "utils" / "layers.txt", self.root / "utils")
        self.write("src/base/status.h", "")
        self.write("src/keyspace/types/hash_value.h", "")
        self.write("src/net/loop.h", "")
        self.write("src/raft/core/types.h", "")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def problems(self, name, text):
        self.write(name, text)
        return check_layers.check(self.root)

    def test_allowed_includes_pass(self):
        self.assertEqual([], self.problems(
            "src/commands/a.cc", '#include "base/status.h"\n#include "keyspace/types/hash_value.h"\n'))
        self.assertEqual([], self.problems("src/raft/node/a.cc", '#include "raft/core/types.h"\n'))
        self.assertEqual([], self.problems("src/server/a.cc", '#include "net/loop.h"\n#include <net/if.h>\n'))

    def test_a_layer_that_may_not_be_seen_is_named(self):
        found = self.problems("src/commands/a.cc", '\n#include "net/loop.h"\n')
        self.assertEqual(["src/commands/a.cc:2: commands may not include net (net/loop.h)"], found)

    def test_unknown_folders_and_files_are_refused(self):
        self.assertIn("names no folder", self.problems("src/base/a.cc", '#include "nowhere/a.h"\n')[0])
        self.assertIn("there is no", self.problems("src/base/a.cc", '#include "base/gone.h"\n')[0])
        self.write("src/base/a.cc", "")
        self.assertIn("has no row", self.problems("src/extra/a.cc", "")[0])


class HygieneTest(unittest.TestCase):
    def test_unfinished_work_and_paths_of_a_machine_are_seen(self):
        for bad in ("// TO" "DO: later", "see /ho" "me/somebody/notes"):
            self.assertTrue(check.HYGIENE.search(bad), bad)
        for good in ("a HOME directory", "replaces holders", "/var/lib/kiwi"):
            self.assertFalse(check.HYGIENE.search(good), good)


if __name__ == "__main__":
    unittest.main()
