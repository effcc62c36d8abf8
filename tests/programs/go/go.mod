module infrared/programs

go 1.19
