module cgo_program

go 1.21
