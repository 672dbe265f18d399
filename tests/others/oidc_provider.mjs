// npm's oidc-provider with the clients that tests/others has, on a free port. The line that tells its issuer is the first
// on stdout; it ends when its stdin does.
import http from 'node:http';
import * as crypto from 'node:crypto';
import { createRequire } from 'node:module';

// What some versions of Node.js 20 lack.
URL.parse ??= (url, base) => { try { return new URL(url, base); } catch { return null; } };

const name = crypto.hash ? 'oidc-provider' : 'oidc-provider-8';
const { Provider } = await import(createRequire(`${process.cwd()}/`).resolve(name));

const key = (type, options, members) => ({
  ...crypto.generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  ...members,
  use: 'sig',
});
const device = 'urn:ietf:params:oauth:grant-type:device_code';
const person = {
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token', device],
  token_endpoint_auth_method: 'none',
};
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const clients = [
  ...algorithms.map((alg) => ({ ...person, client_id: `signed-by-${alg}`, id_token_signed_response_alg: alg })),
  {
    ...person,
    client_id: 'a client: 100% +&=?/"',
    client_secret: 'its secret: 100% +&=?/"\\',
    token_endpoint_auth_method: 'client_secret_basic',
    require_pushed_authorization_requests: true,
  },
];

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    jwks: {
      keys: [
        key('rsa', { modulusLength: 2048 }, { kid: 'rsa' }),
        key('ec', { namedCurve: 'P-256' }, { kid: 'ec' }),
        key('ed25519', {}, { kid: 'ed' }),
      ],
    },
    enabledJWA: { idTokenSigningAlgValues: algorithms },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      registration: { enabled: true, initialAccessToken: 'the-word-of-the-house' },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => false,
        getResourceServerInfo: (_, audience) => ({ audience, scope: 'read', accessTokenFormat: 'jwt' }),
      },
    },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@people.example` }) }),
    claims: { openid: ['sub'], email: ['email'] },
    scopes: ['openid', 'offline_access', 'read'],
    cookies: { keys: ['tests'] },
  });
  provider.on('server_error', (_, error) => console.error(error));
  provider.on('grant.error', (_, error) => console.error('grant', error.message, error.error_detail));
  provider.on('authorization.error', (_, error) => console.error('authorization', error.message, error.error_detail));
  server.on('request', provider.callback());
  console.log(issuer);
});

process.stdin.resume().on('end', () => process.exit());
