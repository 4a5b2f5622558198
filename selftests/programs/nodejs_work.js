// SPDX-License-Identifier: GPL-2.0-only
// net and http of Node.js: checks what comes back, prints calls a second.
'use strict';
const net = require('net'), http = require('http'), assert = require('assert');
const [tmp, port] = [process.argv[2], Number(process.argv[3])];
const CALLS = 500;

function overNet() {
	return new Promise((resolve, reject) => {
		const path = tmp + '/node.sock';
		const server = net.createServer((s) => s.pipe(s)).listen(path, () => {
			const begin = process.hrtime.bigint();
			let n = 0;
			const s = net.connect(path, () => s.write('call 0'));
			s.setNoDelay(true);
			s.on('error', reject);
			s.on('data', (data) => {
				assert.strictEqual(String(data), 'call ' + n);
				if (++n < CALLS)
					return s.write('call ' + n);
				const sec = Number(process.hrtime.bigint() - begin) / 1e9;
				console.log('net', Math.round(CALLS / sec));
				s.end();
				server.close(resolve);
			});
		});
	});
}

function get(agent, body) {
	return new Promise((resolve, reject) => {
		const req = http.request({ host: '127.0.0.1', port, agent, method: 'POST' }, (res) => {
			let text = '';
			res.on('data', (d) => { text += d; });
			res.on('end', () => resolve(text));
		});
		req.on('error', reject);
		req.end(body);
	});
}

async function overHttp() {
	const server = http.createServer((req, res) => {
		let text = '';
		assert.strictEqual(req.socket.remoteAddress, '127.0.0.1');
		req.on('data', (d) => { text += d; });
		req.on('end', () => res.end(text.toUpperCase()));
	});
	await new Promise((ready) => server.listen(port, '127.0.0.1', ready));
	const agent = new http.Agent({ keepAlive: true });
	const begin = process.hrtime.bigint();
	for (let i = 0; i < CALLS; i++)
		assert.strictEqual(await get(i % 10 ? agent : undefined, 'body ' + i), 'BODY ' + i);
	const sec = Number(process.hrtime.bigint() - begin) / 1e9;
	console.log('http', Math.round(CALLS / sec));
	agent.destroy();
	await new Promise((done) => server.close(done));
}

overNet().then(overHttp).catch((e) => { console.error(e); process.exit(1); });
