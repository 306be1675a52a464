# One of two followers is a quorum with the leader: it stays.
nodes 1 2 3
campaign 1
run
cut 3
pass 40
expect 1 role leader term 1
