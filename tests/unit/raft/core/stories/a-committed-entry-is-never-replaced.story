# A leader that contradicts what is committed is not believed.
nodes 1 2 3
append 1 2 term 1 after 0 of 0 commit 2 entries 1 1
expect 2 commit 2
append 3 2 term 2 after 0 of 0 commit 2 entries 2
expect 2 last 2
append 3 2 term 2 after 2 of 1 commit 2 entries 2
expect 2 last 3
log 2 1:x 1:x 2:x
