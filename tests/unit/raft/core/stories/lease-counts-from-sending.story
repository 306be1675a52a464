# A late answer extends the lease only from when its question was sent.
nodes 1 2 3
campaign 1
run
cut 3
tick 1
settle 1
deliver 1 2 heartbeat
settle 2
tick 1 7
lose 1 2
deliver 2 1 heartbeat-answer
lease 1 yes
tick 1 2
lease 1 no
