// An OpenID Connect provider at one port of this machine, with a page to log in and one to allow or cancel.
// Started in the folder that has its package; its one argument is JSON: `port`, `client`, and where `claims` are told.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';

const { default: Provider } = await import(createRequire(`${process.cwd()}/`).resolve('oidc-provider'));
const { port, client, claims } = JSON.parse(process.argv[2]);
const accounts = new Map();

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  claims: {
    email: ['email', 'email_verified'],
    profile: ['name', 'given_name', 'middle_name', 'family_name', 'hd'],
  },
  conformIdTokenClaims: claims === 'userinfo',
  cookies: {
    keys: ['of a provider in these tests alone'],
    // Browsers send a host's cookies to all its ports, where others may be.
    names: { session: `session_${port}`, interaction: `interaction_${port}`, resume: `resume_${port}` },
  },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
  findAccount: (_context, sub) =>
    accounts.has(sub) ? { accountId: sub, claims: () => ({ sub, ...accounts.get(sub) }) } : undefined,
  renderError: (context, { error }) => { context.body = `Refused: ${error}`; },
});

const page = (heading, form) => `<!doctype html>
<html lang="en"><title>${heading}</title><main><h1>${heading}</h1>
<form method="post">${form}<button name="do" value="cancel" formnovalidate>Cancel</button></form></main></html>`;

const asks = {
  login: page('Log in here', '<label>Login <input name="login" required></label><button>Continue</button>'),
  consent: page('Let the site know you', '<button>Allow</button>'),
};

const show = (response, name) => response.setHeader('Content-Type', 'text/html').end(asks[name]);

async function finish(request, response, { prompt, params, session }) {
  const sent = new URLSearchParams(await text(request));
  let result;
  if (sent.get('do') === 'cancel') {
    result = { error: 'access_denied' };
  } else if (prompt.name === 'login') {
    if (!accounts.has(sent.get('login'))) return show(response, 'login');
    result = { login: { accountId: sent.get('login') } };
  } else {
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(request, response, result);
}

createServer(async (request, response) => {
  const [, kind, name] = request.url.split('/');
  try {
    if (kind === 'accounts' && request.method === 'PUT') {
      accounts.set(decodeURIComponent(name), JSON.parse(await text(request)));
      response.end();
    } else if (kind === 'interaction') {
      const asked = await provider.interactionDetails(request, response);
      if (request.method === 'POST') await finish(request, response, asked);
      else show(response, asked.prompt.name);
    } else {
      provider.callback()(request, response);
    }
  } catch (error) {
    console.error(error);
    response.writeHead(400).end(String(error));
  }
}).listen(port, '127.0.0.1');
