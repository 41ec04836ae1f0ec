package rest

// Decode is the strict decoder, for the fuzz test.
var Decode = decode

// Authorize is what clients are let in by, for the fuzz test.
var Authorize = Clients.authorize
