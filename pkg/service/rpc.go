package service

import "matriq/pkg/rpc"

// RPC returns options with who this is, its log and its metrics filled in.
func (e Env) RPC() rpc.Options {
	return rpc.Options{
		Service:  e.Name,
		Instance: e.Instance,
		Version:  e.Version,
		Log:      e.Log,
		Metrics:  e.Metrics,
	}
}
