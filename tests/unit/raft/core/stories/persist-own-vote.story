option check-quorum 0
option pre-vote 0
nodes 1
hold-persist 1
campaign 1
settle 1
expect 1 role candidate
persist 1
expect 1 role leader
