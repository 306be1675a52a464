# Hearing of a later term does not release a follower from its silence.
nodes 1 2 3 4 5
given 4 term 5 log
campaign 3
settle 3
lose 3 1
lose 3 2
lose 3 5
deliver 3 4           # node 4 will answer that its term is 5
campaign 1
deliver 1 2
deliver 2 1
deliver 1 5
deliver 5 1
deliver 1 2
deliver 2 1
deliver 1 5
deliver 5 1
expect 1 role leader term 1
deliver 1 3           # node 3 follows, and owes the leader its silence
expect 3 leader 1
deliver 4 3
expect 3 term 5 leader 0
lose 3 4
tick 4 21
settle 4
expect 4 role pre-candidate
deliver 4 3 pre-vote
waiting 3 4 -
tick 3 11
tick 4 21
deliver 4 3 pre-vote
waiting 3 4 pre-vote-answer,pre-vote-answer
