# Who did not get to run for a while reads what has come in before it judges anybody: the leader keeps
# its leadership, but not its lease; a follower keeps its leader.
nodes 1 2 3
campaign 1
run
pass 10
lease 1 yes
stall 1 50
expect 1 role leader
lease 1 no
run
lease 1 yes
stall 2 50
expect 2 role follower leader 1
run
expect 1 role leader term 1
# It is a respite, no more.
cut 1
stall 1 50
tick 1 20
settle 1
expect 1 role follower term 1 leader 0
