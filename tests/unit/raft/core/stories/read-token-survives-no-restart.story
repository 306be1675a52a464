# A late answer to a read made before a restart does not answer one made after it.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
campaign 1
run
read 2 old
deliver 2 1 read
run
read 2 old
settle 2
deliver 2 1 read
tick 1
settle 1
deliver 1 3 heartbeat
deliver 3 1 heartbeat-answer   # confirmed: the answer to 2 is under way
settle 1
restart 2
propose 1 a
settle 1
deliver 1 3 append
deliver 3 1 append-answer
expect 1 commit 2
lose 1 2 append
deliver 1 2 heartbeat
read 2 first
read 2 second
settle 2
deliver 1 2 read-answer
answer 2 first none
answer 2 second none
