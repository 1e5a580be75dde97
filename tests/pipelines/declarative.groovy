// A stand-in of Jenkins' declarative pipelines on the Groovy that Jenkins has: it runs a Jenkinsfile once for each event
// and writes, as JSON, which stages it would run, where, with which credentials, and the text of every shell step.
//     groovy declarative.groovy JENKINSFILE EVENTS.json
import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilerConfiguration

/** One block: its words are looked up here, whatever is not a word of declarative pipelines is an error. */
class Block {
  def words
  def invokeMethod(String name, arguments) {
    def word = words[name]
    if (word == null) throw new MissingMethodException(name, Block, arguments as Object[])
    word(*(arguments as List))
  }
  def propertyMissing(String name) {
    if (words.values.containsKey(name)) return words.values[name]
    throw new MissingPropertyException(name, Block)
  }
  void propertyMissing(String name, value) { words.assigned(name, value) }
}

class Event {
  def env, params, found = []
  def run(Closure body, Map words) {
    words = [values: [env: env, params: params]] + words
    body.delegate = new Block(words: words)
    body.resolveStrategy = Closure.DELEGATE_FIRST
    body()
  }
  void pipeline(Closure body) {
    run(body, [
      agent: { it -> assert it == 'none' }, none: null,
      options: { c -> run(c, [buildDiscarder: { it -> }, logRotator: { Map it -> it }, timeout: { Map it -> }]) },
      parameters: { c -> run(c, [choice: { Map it -> declared(it.name, it.choices[0]) }, string: { Map it -> declared(it.name, it.defaultValue) }]) },
      triggers: { c -> run(c, [parameterizedCron: { it -> found << [schedule: it.trim()] }]) },
      environment: { c -> env.putAll(assigned(c)) },
      stages: { c -> stages(c, [:]) },
      values: [env: env, params: params, none: 'none'],
    ])
  }
  void declared(name, value) { if (params[name] == null) params[name] = value }
  Map assigned(Closure body) {
    def values = [:]
    run(body, [credentials: { it -> [credential: it] }, assigned: { name, value -> values[name] = value }])
    values
  }
  void stages(Closure body, Map above) { run(body, [stage: { String name, Closure c -> stage(name, c, above) }]) }
  void stage(String name, Closure body, Map above) {
    def told = [name: name, due: above.due != false, label: null, environment: above.environment ?: [:], locks: [], shell: [], archived: []]
    def steps
    steps = { c -> run(c, [catchError: { b -> steps(b) }, sh: { it -> told.shell << it }, archiveArtifacts: { Map it -> told.archived << it.artifacts }]) }
    def inner = null
    run(body, [
      when: { c -> told.due = told.due && due(c) },
      agent: { c -> run(c, [label: { it -> told.label = it }]) },
      environment: { c -> told.environment = told.environment + assigned(c) },
      options: { c -> run(c, [lock: { it -> told.locks << it }]) },
      steps: steps,
      post: { c -> run(c, [always: steps]) },
      stages: { c -> inner = c },
    ])
    if (inner == null) found << told else stages(inner, told)
  }
  boolean due(Closure body) {
    def all = []
    run(body, [
      beforeAgent: { it -> }, beforeOptions: { it -> },
      changeRequest: { -> all << (env.CHANGE_ID != null) },
      branch: { it -> all << (env.BRANCH_NAME == it) },
      expression: { c -> all << (run(c, [:]) as boolean) },
    ])
    all.every()
  }
}

def text = new File(args[0]).text
def told = new JsonSlurper().parse(new File(args[1])).collect { given ->
  def event = new Event(env: [:] + given.env, params: [:] + given.params)
  def script = new GroovyShell(this.class.classLoader, new Binding(env: event.env, params: event.params)).parse(text, 'Jenkinsfile.groovy')
  script.metaClass.pipeline = { Closure c -> event.pipeline(c) }
  script.run()
  [env: event.env, params: event.params, found: event.found]
}
println JsonOutput.toJson(told)
