package page

// text is the template of the page. It has no script and names no other file, and the browser is
// told to load none.
const text = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>rolecall on {{.Host}}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1b1f24; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #c8ccd1 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #e4e6e9; overflow-wrap: anywhere; unicode-bidi: isolate }
th { white-space: nowrap }
.fix { color: #a40000; font-weight: 600 } .look { color: #7a5200 } .ok { color: #1d6b2a } .number { text-align: right }
@media print {
body { margin: 0; max-width: none; font-size: 10pt; color: #000 }
h2, tr { break-inside: avoid } h2 { break-after: avoid }
thead { display: table-header-group }
.fix, .look, .ok { color: #000 }
}
</style>
</head>
<body>
<h1>rolecall on {{.Host}}</h1>
<table><tbody>
<tr><th>made</th><td>{{clock .Made}}</td></tr>
<tr><th>rolecall</th><td>{{.Version}}</td></tr>
{{range .System}}<tr><th>{{.Name}}</th><td>{{.Value}}</td></tr>
{{end}}<tr><th>policy file</th><td>{{.PolicyFile}}</td></tr>
<tr><th>its hash</th><td>{{.PolicyHash}}</td></tr>
</tbody></table>
{{if .Problems}}<h2>Not all could be read</h2>
<ul>
{{range .Problems}}<li class="fix">{{.}}</li>
{{end}}</ul>
{{end}}<h2>Findings of rolecall check</h2>
<table><thead><tr><th>state</th><th>area</th><th>what</th><th>what to do</th></tr></thead><tbody>
{{range .Findings}}<tr><td class="{{if eq .State "to fix"}}fix{{else if eq .State "ok"}}ok{{else}}look{{end}}">{{.State}}</td><td>{{.Area}}</td><td>{{.What}}</td><td>{{.Do}}</td></tr>
{{else}}<tr><td colspan="4">none</td></tr>
{{end}}</tbody></table>
<h2>Jobs that run now</h2>
<table><thead><tr><th>job</th><th>tenant</th><th>project</th><th>ref</th><th>user</th><th>since</th><th>until</th></tr></thead><tbody>
{{range .Live}}<tr><td>{{.ID}}</td><td>{{.Tenant}}</td><td>{{.Project}}</td><td>{{.Ref}}</td><td>{{.UserLogin}}</td><td>{{clock .Since}}</td><td>{{clock .Until}}</td></tr>
{{else}}<tr><td colspan="7">none</td></tr>
{{end}}</tbody></table>
<h2>Since {{clock .Since}}</h2>
<h3>Sessions by tenant</h3>
<table><thead><tr><th>tenant</th><th class="number">sessions</th></tr></thead><tbody>
{{range .Sessions}}<tr><td>{{.Tenant}}</td><td class="number">{{.Jobs}}</td></tr>
{{else}}<tr><td colspan="2">none</td></tr>
{{end}}</tbody></table>
<h3>Refusals by rule</h3>
<table><thead><tr><th>tenant</th><th>rule</th><th>code</th><th class="number">decisions</th></tr></thead><tbody>
{{range .Refusals}}<tr><td>{{.Tenant}}</td><td>{{.Rule}}</td><td>{{.Code}}</td><td class="number">{{.Jobs}}</td></tr>
{{else}}<tr><td colspan="4">none</td></tr>
{{end}}</tbody></table>
<h3>Failures by code</h3>
<table><thead><tr><th>tenant</th><th>event</th><th>code</th><th class="number">lines</th></tr></thead><tbody>
{{range .Failures}}<tr><td>{{.Tenant}}</td><td>{{.Rule}}</td><td>{{.Code}}</td><td class="number">{{.Jobs}}</td></tr>
{{else}}<tr><td colspan="4">none</td></tr>
{{end}}</tbody></table>
<h2>Tenants</h2>
{{range .Tenants}}<h3>{{.Name}}</h3>
<table><tbody>
{{if .RunAs}}<tr><th>unix user</th><td>{{.RunAs}}</td></tr>
{{end}}{{range .Rules}}<tr><th>{{.Name}}</th><td>{{.Value}}</td></tr>
{{end}}{{range .Gives}}<tr><th>gives {{.Name}}</th><td>{{.Value}}</td></tr>
{{end}}</tbody></table>
{{else}}<p>none</p>
{{end}}</body>
</html>
`
