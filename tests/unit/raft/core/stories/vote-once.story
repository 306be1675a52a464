# One vote a term, also across a restart.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
campaign 1
deliver 1 3 vote
campaign 2
lose 2 1
settle 2
restart 3
deliver 2 3 vote
lose 3 1
run
expect 2 role candidate term 1
expect 1 role candidate term 1
