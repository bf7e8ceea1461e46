/** A row of `orders` as it arrives; `millrace types --source shop` writes such types. */
export interface Order {
  id: number
  customer_id: number
  product_id: number
  quantity: number
  total_price: number
  shipping_address: string
}
