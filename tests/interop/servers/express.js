// A proxy behind express-rate-limit.
//
// node express.js <port> <port of the API> <file for a line per request> <options as JSON>
'use strict'

const fs = require('node:fs')
const http = require('node:http')
const express = require('express')
const { rateLimit } = require('express-rate-limit')

const [port, upstream, log, options] = process.argv.slice(2)
const app = express()

app.use((request, response, next) => {
  response.on('finish', () => {
    fs.appendFileSync(log, `${Date.now() / 1000} ${response.statusCode} ${request.path}\n`)
  })
  next()
})
// One allowance for all.
app.use(rateLimit({ ...JSON.parse(options), keyGenerator: () => 'all' }))
app.use((request, response) => {
  const { method, headers, url: path } = request
  const asked = http.request({ port: upstream, host: '127.0.0.1', method, headers, path }, (answer) => {
    // Not the headers of the limiter, which are set already.
    for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value)
    response.writeHead(answer.statusCode)
    answer.pipe(response)
  })
  asked.on('error', () => response.destroy())
  request.pipe(asked)
})
app.listen(Number(port), '127.0.0.1', () => console.log('ready'))
