# The lease counts on the silence of whoever answered a heartbeat. A node that a crash would take back
# to a time before this leader, when it had promised nobody anything, must not answer yet.
nodes 1 2 3
cut 3
campaign 1
run
heal
hold-persist 3
tick 1
settle 1
deliver 1 3 heartbeat
waiting 3 1 -
lease 1 no
persist 3
waiting 3 1 heartbeat-answer
deliver 3 1
lease 1 yes
tick 1
deliver 1 3 heartbeat
waiting 3 1 heartbeat-answer   # the term is durable now: at once
