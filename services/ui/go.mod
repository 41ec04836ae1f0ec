module matriq/services/ui

go 1.26.0

require matriq/pkg v0.0.0

replace matriq/pkg => ../../pkg
