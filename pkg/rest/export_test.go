package rest

// Decode is the strict decoder, for tests.
var Decode = decode

// Authorize is what clients are let in by, for tests.
var Authorize = Clients.authorize
