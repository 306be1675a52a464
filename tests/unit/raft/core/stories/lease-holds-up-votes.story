# Followers of a leader with a lease do not vote, not even in a later term.
option pre-vote 0
nodes 1 2 3
campaign 1
run
pass 2
campaign 2
refused Busy
cut 1
tick 2 21
settle 2
expect 2 role candidate term 2
deliver 2 3 vote
waiting 3 2 -
tick 3 11
tick 2 21
deliver 2 3 vote
deliver 3 2
expect 2 role leader
