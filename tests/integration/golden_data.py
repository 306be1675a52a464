"""What a golden data directory holds: the commands that make it, and what must be read from it.

A golden directory is written once by a released build and committed under tests/golden/<version>/;
every later build must open it and find the same (golden_test.py). Add to these lists in a new version
only: what an old directory was made from stays with it, in its expected.json.
"""

FAR_FUTURE_MS = 4102444800000  # 2100-01-01: an expiry that no test run will see pass


def before_checkpoint():
    yield ("SET", "string:int", "12345")
    yield ("SET", "string:embedded", "short")
    yield ("SET", "string:raw", b"r" * 1000)
    yield ("SET", "string:binary", bytes(range(256)))
    yield ("SET", "string:empty", "")
    yield ("SET", "string:large", b"L" * 20000)
    yield ("SET", "string:expiring", "later", "PXAT", FAR_FUTURE_MS)
    yield ("SET", "string:{tag}:1", "slot by tag")
    yield ("HSET", "hash:small", "field", "value", "number", "17", "empty", "")
    yield ("HSET", "hash:wide", "field", b"w" * 300)
    yield ("HSET", "hash:expiring", "f", "v")
    yield ("PEXPIREAT", "hash:expiring", FAR_FUTURE_MS + 1)
    for i in range(600):
        yield ("HSET", "hash:large", f"field:{i}", f"value:{i}")
    for i in range(500):
        yield ("SET", f"many:{i}", f"value of {i}")
    yield ("SELECT", 3)
    yield ("SET", "other:db", "three")
    yield ("SELECT", 0)


def behind_checkpoint():
    """These stay in the log when the directory is made by a kill."""
    yield ("APPEND", "string:embedded", " and longer")
    yield ("INCRBY", "string:int", 5)
    yield ("DEL", "many:7", "many:8")
    yield ("HDEL", "hash:large", "field:1", "field:2")
    yield ("HINCRBY", "hash:small", "number", 25)
    yield ("MULTI",)
    yield ("SET", "multi:a", "1")
    yield ("SET", "multi:b", "1")
    yield ("EXEC",)
    yield ("EXPIREAT", "multi:a", FAR_FUTURE_MS // 1000)
    yield ("RENAME", "many:9", "renamed")
    yield ("SETRANGE", "string:raw", 10, "patched")
    yield ("PERSIST", "hash:expiring")


def digest_of(reply):
    return reply.decode() if isinstance(reply, bytes) else str(reply)


def observe(client):
    """What a client sees of the data: small enough to commit, enough to notice any change."""
    seen = {"digest": digest_of(client.command("DEBUG", "DIGEST"))}
    for db in (0, 3):
        client.command("SELECT", db)
        seen[f"dbsize {db}"] = client.command("DBSIZE")
    client.command("SELECT", 0)
    for key in ("string:int", "string:embedded", "string:empty", "string:{tag}:1", "multi:a", "renamed"):
        value = client.command("GET", key)
        seen[f"GET {key}"] = value.decode() if isinstance(value, bytes) else value
    for key in ("string:raw", "string:binary", "string:large"):
        seen[f"STRLEN {key}"] = client.command("STRLEN", key)
    for key in ("hash:small", "hash:wide", "hash:large"):
        seen[f"HLEN {key}"] = client.command("HLEN", key)
    for key in ("string:expiring", "hash:expiring", "multi:a", "multi:b"):
        seen[f"PEXPIRETIME {key}"] = client.command("PEXPIRETIME", key)
    seen["HGET hash:small number"] = client.command("HGET", "hash:small", "number").decode()
    return seen
