# A vote leaves only when it is durable; the candidate's own counts only then.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
hold-persist 1
hold-persist 2
campaign 1
settle 1
waiting 1 2 -
persist 1
settle 1
waiting 1 2 vote
deliver 1 2
waiting 2 1 -
persist 2
waiting 2 1 vote-answer
deliver 2 1
expect 1 role leader
