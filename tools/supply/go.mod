module matriq/tools/supply

go 1.26.0
