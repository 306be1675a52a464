# Figure 8 (e): once an entry of its own term lies on a majority, all before it is safe.
option check-quorum 0
option pre-vote 0
nodes 1 2 3 4 5
given 1 term 3 log 1 2
given 2 term 3 log 1 2
given 3 term 3 log 1
given 4 term 3 log 1
given 5 term 3 log 1 3
cut 5
cut 4
campaign 1
run
expect 1 role leader term 4 commit 3
crash 1
heal
cut 1
campaign 5
run
campaign 5
run
expect 5 role candidate
