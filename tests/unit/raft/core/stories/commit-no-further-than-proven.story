# What an append with a high commit index does not prove equal stays uncommitted.
nodes 1 2 3
given 2 term 1 log 1 1 1 1
append 1 2 term 2 after 1 of 1 commit 4 entries
expect 2 commit 1
append 1 2 term 2 after 1 of 1 commit 4 entries 2 2
expect 2 commit 3
log 2 1:x 2:x 2:x
