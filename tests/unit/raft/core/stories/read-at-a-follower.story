# A follower asks its leader; without one it refuses.
nodes 1 2 3
read 2 r
refused NotLeader
campaign 1
run
propose 1 a
run
read 2 r
run
answer 2 r 2
cut 1
read 2 s
tick 2 10
settle 2
answer 2 s dropped
