# A follower that knows an entry is committed applies it only when it has it durably.
nodes 1 2 3
campaign 1
run
hold-persist 3
propose 1 a
run
pass 2
applied 1 a
expect 3 commit 2 applied 1
persist 3
run
applied 3 a
