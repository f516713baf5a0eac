// What generate-protos.mjs does to the files that protoc-gen-es made: they call our own fileDesc (api/descriptors, which
// says why), and their descriptors lose the options that nobody reads, which are nearly a quarter of their bytes: rules of
// validation, annotations, names of packages for other languages. The files that declare those options go with them.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { base64Decode, base64Encode } from '@bufbuild/protobuf/wire'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'

/**
 * @param {readonly string[]} files the generated `*_pb.js`
 * @param {string} fileDescModule the file that has our fileDesc
 */
export function slimProtos(files, fileDescModule) {
  const texts = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]))
  const declaring = new Set()
  for (const [file, text] of texts) {
    if (!/\bextDesc\(/.test(text)) continue
    declaring.add(/^export const (file_\w+) =/m.exec(text)[1])
    texts.delete(file)
    rmSync(file)
    rmSync(file.replace(/\.js$/, '.d.ts'))
  }
  for (const [file, text] of texts) {
    const own = relative(dirname(file), fileDescModule)
    writeFileSync(file, withoutImports(withSlimDescriptor(withOwnFileDesc(text, own)), declaring))
  }
}

function withOwnFileDesc(text, own) {
  return replaced(
    text,
    /^import \{(.*)\bfileDesc\b,? ?(.*)\} from "@bufbuild\/protobuf\/codegenv2";$/m,
    (_, before, after) =>
      `import { fileDesc } from "${own}";\n` +
      (before.trim() + after.trim() === '' ? '' : `import {${before}${after}} from "@bufbuild/protobuf/codegenv2";`),
  )
}

function withSlimDescriptor(text) {
  return replaced(text, /(?<=\bfileDesc\(")[^"]+(?=")/, (base64) => {
    const proto = fromBinary(FileDescriptorProtoSchema, base64Decode(base64))
    delete proto.options
    slimOptions(proto)
    return base64Encode(toBinary(FileDescriptorProtoSchema, proto), 'std_raw')
  })
}

/** Options that are declared elsewhere are fields which descriptor.proto does not know; then most have nothing left. */
function slimOptions(part) {
  if (part.options !== undefined) {
    delete part.options.$unknown
    if (Object.values(part.options).every((value) => value === part.options.$typeName || value.length === 0))
      delete part.options
  }
  for (const inner of Object.values(part).flat()) if (inner?.$typeName !== undefined) slimOptions(inner)
}

/** Leaves out what is imported for its options alone. */
function withoutImports(text, declaring) {
  const isKept = (name) => !declaring.has(name)
  return text
    .replace(/^import \{ (file_\w+) \} from .*\n/gm, (line, name) => (isKept(name) ? line : ''))
    .replace(/(?<=\bfileDesc\("[^"]+"), \[(.*)\]/, (_, names) => {
      const kept = names.split(', ').filter(isKept)
      return kept.length === 0 ? '' : `, [${kept.join(', ')}]`
    })
}

function replaced(text, pattern, by) {
  if (!pattern.test(text)) throw new Error(`a generated file has not ${pattern}, as it is expected to`)
  return text.replace(pattern, by)
}
