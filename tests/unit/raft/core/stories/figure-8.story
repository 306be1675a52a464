# Figure 8 (a)-(d): an entry of an older term lies on a majority and is still not committed; the
# leader of term 5 replaces it.
option check-quorum 0
option pre-vote 0
option message-bytes 0
nodes 1 2 3 4 5
given 1 term 3 log 1 2
given 2 term 3 log 1 2
given 3 term 3 log 1
given 4 term 3 log 1
given 5 term 3 log 1 3
cut 5
cut 4
campaign 1
deliver 1 2 vote
deliver 1 3 vote
deliver 2 1
deliver 3 1
expect 1 role leader term 4 last 3
deliver 1 3 append    # a probe behind entry 2: refused
deliver 3 1
deliver 1 3 append    # entry 2, of term 2
deliver 3 1
lose 1 3
deliver 1 2 append
deliver 2 1
log 3 1:x 2:x
expect 1 commit 0     # entries 1 and 2 lie on three of five
crash 1
heal
cut 1
campaign 5            # term 4: too low
run
campaign 5
run
expect 5 role leader term 5
log 3 1:x 3:x 5:-
log 2 1:x 3:x 5:-
start 1
heal
pass 3
log 1 1:x 3:x 5:-
