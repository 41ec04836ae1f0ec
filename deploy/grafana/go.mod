module matriq/deploy/grafana

go 1.26.0
