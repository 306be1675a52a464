# A read is answered when a quorum has confirmed the leader, with the commit index of its time.
nodes 1 2 3
campaign 1
run
propose 1 a
run
read 1 r
settle 1
answer 1 r none
run
answer 1 r 2
