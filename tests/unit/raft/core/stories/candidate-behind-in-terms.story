# A candidate whose term is behind learns the term, and what is committed, from whom it asks.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
given 2 term 9 log 1
given 3 term 9 log 1
campaign 1
run
expect 1 role follower term 9
given 1 term 9 log 1
campaign 1
run
expect 1 role leader term 10
