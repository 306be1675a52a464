# Three nodes elect the first that asks; its empty entry opens the term and commits.
nodes 1 2 3
campaign 1
run
expect 1 role leader term 1 leader 1 commit 1
expect 2 role follower term 1 leader 1
propose 1 a b
run
applied 1 a b
applied 2 a b
applied 3 a b
