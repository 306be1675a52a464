# What is handed out to a slow applier is bounded; it gets the rest when it has applied.
option committed-bytes 1
nodes 1
campaign 1
run
hold-apply 1
propose 1 a b c
run
expect 1 commit 4 applied 1
apply 1
run
applied 1 a b c
