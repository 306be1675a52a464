# Whoever hears the leader refuses to consider anybody else.
nodes 1 2 3
campaign 1
run
cut 1 3
tick 3 25
settle 3
deliver 3 2 pre-vote
waiting 2 3 -
expect 1 role leader term 1
