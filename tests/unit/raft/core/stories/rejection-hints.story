# A log that diverged in many entries of two terms costs one probe a term, not one an entry.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
given 1 term 6 log 1 1 5 5 5 6 6 6
given 2 term 4 log 1 1 2 2 2 2 3 3 3 3
given 3 term 6 log 1 1 5 5 5 6 6 6
cut 2
campaign 1
run
heal
tick 1
deliver 1 2 heartbeat
deliver 2 1
deliver 1 2 append    # probe at the end
deliver 2 1 append-answer
deliver 1 2 append    # where the logs part
deliver 2 1 append-answer
run
log 2 1:x 1:x 5:x 5:x 5:x 6:x 6:x 6:x 7:-
