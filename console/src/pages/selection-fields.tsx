import { client } from '../api.ts'
import { may, seesEverything } from '../session.ts'
import { Check, Choices, Field } from '../ui/field.tsx'
import { useQuery } from '../use-query.ts'
import { FilterField, type Action } from './filter-field.tsx'
import { TablePicker } from './table-picker.tsx'

/** What a consumer gets, as its form has it. */
export interface SelectionForm {
  tables: string[]
  actions: Action[]
  filter: string
  columns: 'all' | 'include' | 'exclude'
  columnNames: string
  ordering: 'group' | 'none'
  groupBy: string
}

export const ALL_ACTIONS: readonly Action[] = ['insert', 'update', 'delete']

const ACTION_TEXTS: Record<Action, string> = {
  insert: 'Inserts',
  update: 'Updates',
  delete: 'Deletes',
}

interface SelectionFieldsProps {
  source: string
  form: SelectionForm
  faults: Record<string, string>
  onChange: (part: Partial<SelectionForm>) => void
  filterHint?: string
}

/** Tables, actions, filter, columns and order: the same to create a consumer and to change it. */
export function SelectionFields(props: SelectionFieldsProps) {
  const { source, form, faults, onChange, filterHint } = props
  return (
    <>
      <Tables source={source} form={form} error={faults['tables']} onChange={onChange} />
      <fieldset class="field">
        <legend>Actions</legend>
        <div class="row wide">
          {ALL_ACTIONS.map((action) => (
            <Check
              key={action}
              checked={form.actions.includes(action)}
              onChange={(checked) =>
                onChange({
                  actions: ALL_ACTIONS.filter((each) =>
                    each === action ? checked : form.actions.includes(each),
                  ),
                })
              }
            >
              {ACTION_TEXTS[action]}
            </Check>
          ))}
        </div>
        {faults['actions'] && <p class="error">{faults['actions']}</p>}
      </fieldset>
      <FilterField
        source={source}
        tables={form.tables}
        actions={form.actions}
        value={form.filter}
        error={faults['filter']}
        onChange={(filter) => onChange({ filter })}
        {...(filterHint === undefined ? {} : { hint: filterHint })}
      />
      <Choices
        legend="Columns"
        name="columns"
        value={form.columns}
        onChange={(columns) => onChange({ columns })}
        options={[
          { value: 'all', title: 'All', text: 'The whole row.' },
          { value: 'include', title: 'Only some', text: 'The others never leave the system.' },
          { value: 'exclude', title: 'All but some', text: 'For what is nobody’s business.' },
        ]}
      />
      {form.columns !== 'all' && (
        <Field
          label={form.columns === 'include' ? 'Columns that are sent' : 'Columns that are left out'}
          value={form.columnNames}
          onInput={(columnNames) => onChange({ columnNames })}
          error={faults['columns']}
          placeholder="id, status"
          hint="Separated by commas."
          mono
        />
      )}
      <Choices
        legend="Order"
        name="ordering"
        value={form.ordering}
        onChange={(ordering) => onChange({ ordering })}
        options={[
          {
            value: 'group',
            title: 'By row',
            text: 'Changes of one row come one after the other.',
          },
          { value: 'none', title: 'None', text: 'As fast as can be, in any order.' },
        ]}
      />
      {form.ordering === 'group' && (
        <Field
          label="In order within"
          value={form.groupBy}
          onInput={(groupBy) => onChange({ groupBy })}
          error={faults['group_by']}
          placeholder="the primary key"
          hint="Other columns, separated by commas: customer_id keeps all of a customer in order."
          mono
        />
      )}
    </>
  )
}

function Tables({
  source,
  form,
  error,
  onChange,
}: Pick<SelectionFieldsProps, 'source' | 'form' | 'onChange'> & { error: string | undefined }) {
  // The tables of a source are shown to those who are bound to no consumers.
  const isTree = may('read') && seesEverything()
  const query = useQuery(`${source} ${isTree}`, async (signal) =>
    source === '' || !isTree ? [] : (await client.sources.tables(source, { signal })).data,
  )
  if (isTree) {
    return (
      <TablePicker
        query={query}
        selected={form.tables}
        error={error}
        onChange={(tables) => onChange({ tables })}
      />
    )
  }
  return (
    <Field
      label="Tables"
      value={form.tables.join(', ')}
      onInput={(text) => onChange({ tables: splitNames(text) })}
      error={error}
      placeholder="public.orders"
      hint="As schema.table, schema.* or *, separated by commas."
      mono
    />
  )
}

export function splitNames(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
}

/** As the API takes it. */
export function toSelection(form: SelectionForm) {
  const names = splitNames(form.columnNames)
  const groupBy = splitNames(form.groupBy)
  return {
    tables: form.tables,
    actions: form.actions,
    filter: form.filter.trim() === '' ? null : form.filter,
    columns:
      form.columns === 'all'
        ? null
        : form.columns === 'include'
          ? { include: names }
          : { exclude: names },
    ordering: form.ordering,
    group_by: form.ordering === 'none' || groupBy.length === 0 ? null : groupBy,
  }
}
